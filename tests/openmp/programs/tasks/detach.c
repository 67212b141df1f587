/* 2.12.1 detach, 3.11 omp_fulfill_event: a task that is complete only when its event is fulfilled, by whomever. */
#include <omp.h>
#include <stdint.h>

#include "../check.h"

static void taskwait_waits_for_the_event(void)
{
    int wrong = 0;
    for (int round = 0; round < 30; round++) {
        int fulfilled = 0;
#pragma omp parallel
#pragma omp single
        {
            omp_event_handle_t event;
#pragma omp task detach(event)
            linger();
#pragma omp task firstprivate(event) shared(fulfilled)
            {
                linger();
                write_word(&fulfilled, 1);
                omp_fulfill_event(event);
            }
#pragma omp taskwait
            if (!read_word(&fulfilled)) wrong++;
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void dependences_wait_for_it(void)
{
    int wrong = 0;
    for (int round = 0; round < 30; round++) {
        int value = 0, seen = -1;
#pragma omp parallel
#pragma omp single
        {
            omp_event_handle_t event;
#pragma omp task detach(event) depend(out : value)
            linger();
#pragma omp task depend(in : value) shared(value, seen)
            seen = value;
#pragma omp task firstprivate(event) shared(value)
            {
                linger();
                value = 2;
                omp_fulfill_event(event);
            }
        }
        if (seen != 2) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void fulfilled_before_the_end_of_the_task(void)
{
    int done = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 100; i++) {
        omp_event_handle_t event;
#pragma omp task detach(event) firstprivate(i) shared(done)
        {
            omp_fulfill_event(event);
            add_to_word(&done, 1);
        }
    }
    CHECK_EQUAL(done, 100);
}

static void region_ends_after_it(void)
{
    int wrong = 0;
    omp_set_dynamic(0);
    for (int round = 0; round < 30; round++) {
        int fulfilled = 0, made = 0;
        omp_event_handle_t event = (omp_event_handle_t) 0;
#pragma omp parallel num_threads(2) shared(event, fulfilled, made)
        {
            if (omp_get_thread_num() == 0) {
#pragma omp task detach(event)
                linger();
                write_word(&made, 1);
            } else {
                wait_for_word(&made, 1);
                linger();
                write_word(&fulfilled, 1);
                omp_fulfill_event(event);
            }
#pragma omp barrier
            if (!read_word(&fulfilled)) add_to_word(&wrong, 1);
        }
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(taskwait_waits_for_the_event);
    RUN(dependences_wait_for_it);
    RUN(fulfilled_before_the_end_of_the_task);
    RUN(region_ends_after_it);
    return finish();
}
