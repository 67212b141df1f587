/* 2.19.9 ordered: its regions run in the order of the iterations, with every schedule, and one at a time. */
#include <omp.h>

#include "../check.h"

#define ORDER(name, clause)                                         \
    static void name(void)                                          \
    {                                                               \
        for (int trips = 0; trips < 80; trips += 11) {              \
            int next = 0, wrong = 0, inside = 0;                    \
            _Pragma(clause) for (int i = 0; i < trips; i++)         \
            {                                                       \
                if (i % 3 == 0) linger();                           \
                _Pragma("omp ordered")                              \
                {                                                   \
                    if (add_to_word(&inside, 1) != 1) wrong++;      \
                    if (next != i) wrong++;                         \
                    linger();                                       \
                    next = i + 1;                                   \
                    add_to_word(&inside, -1);                       \
                }                                                   \
                if (i % 5 == 0) linger();                           \
            }                                                       \
            CHECK_EQUAL(wrong, 0);                                  \
            CHECK_EQUAL(next, trips);                               \
        }                                                           \
    }
ORDER(plain, "omp parallel for ordered")
ORDER(fixed, "omp parallel for ordered schedule(static)")
ORDER(fixed_1, "omp parallel for ordered schedule(static, 1)")
ORDER(fixed_3, "omp parallel for ordered schedule(static, 3)")
ORDER(dynamic, "omp parallel for ordered schedule(dynamic)")
ORDER(dynamic_4, "omp parallel for ordered schedule(dynamic, 4)")
ORDER(guided, "omp parallel for ordered schedule(guided)")
ORDER(guided_3, "omp parallel for ordered schedule(guided, 3)")
ORDER(automatic, "omp parallel for ordered schedule(auto)")
ORDER(runtime, "omp parallel for ordered schedule(runtime)")
ORDER(serial, "omp parallel for ordered if (0)")

/* Iterations that have no ordered region let the later ones pass. */
static void some_iterations_only(void)
{
    for (int chunk = 1; chunk < 6; chunk += 2) {
        int last = -1, wrong = 0, times = 0;
#pragma omp parallel for ordered schedule(dynamic, chunk)
        for (int i = 0; i < 200; i++) {
            if (mix((unsigned) i) % 3 == 0) {
#pragma omp ordered
                {
                    if (i <= last) wrong++;
                    last = i;
                    times++;
                }
            }
        }
        CHECK_EQUAL(wrong, 0);
        if (chunk == 1) SHOW("%d ordered regions of 200, last %d", times, last);
    }
}

static int text_length;
static char text[1000];

static void append(int number)
{
#pragma omp ordered
    text_length += snprintf(text + text_length, sizeof text - (size_t) text_length, "%d,", number);
}

static void called_from_the_loop(void)
{
#pragma omp parallel
#pragma omp for ordered schedule(static, 2)
    for (int i = 0; i < 40; i++) append(i);
    SHOW("%s", text);
    CHECK_EQUAL(strlen(text), 110);
}

static void descending_long(void)
{
    long long next = 5000000100LL;
    int wrong = 0;
#pragma omp parallel for ordered schedule(dynamic, 2)
    for (long long i = 5000000100LL; i > 5000000000LL; i -= 3) {
#pragma omp ordered
        {
            if (i != next) wrong++;
            next = i - 3;
        }
    }
    CHECK_EQUAL(wrong, 0);
    unsigned after = 4294967200u;
#pragma omp parallel for ordered schedule(guided)
    for (unsigned i = 4294967200u; i < 4294967290u; i++) {
#pragma omp ordered
        {
            if (i != after) wrong++;
            after = i + 1;
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void loops_one_after_the_other(void)
{
    int wrong = 0, next = 0;
#pragma omp parallel
    for (int round = 0; round < 30; round++) {
#pragma omp for ordered schedule(dynamic) nowait
        for (int i = 0; i < 7; i++) {
#pragma omp ordered
            {
                if (round == 0 && next++ != i) wrong++;
            }
        }
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(next, 7);
}

int main(void)
{
    RUN(plain);
    RUN(fixed);
    RUN(fixed_1);
    RUN(fixed_3);
    RUN(dynamic);
    RUN(dynamic_4);
    RUN(guided);
    RUN(guided_3);
    RUN(automatic);
    RUN(runtime);
    RUN(serial);
    RUN(some_iterations_only);
    RUN(called_from_the_loop);
    RUN(descending_long);
    RUN(loops_one_after_the_other);
    return finish();
}
