/* 2.21.4.5 lastprivate on loops and sections: the value of the last iteration, whichever thread has it. */
#include <omp.h>

#include "../check.h"

#define LAST(name, clause)                                                     \
    static void name(void)                                                     \
    {                                                                          \
        for (int trips = 1; trips < 60; trips += 3) {                          \
            int last = -1;                                                     \
            double real = 0;                                                   \
            long long large = 0;                                               \
            _Pragma(clause) for (int i = 0; i < trips; i++)                    \
            {                                                                  \
                if (i == trips - 1) linger();                                  \
                last = i;                                                      \
                real = i + 0.5;                                                \
                large = (long long) i << 40;                                   \
            }                                                                  \
            CHECK_EQUAL(last, trips - 1);                                      \
            CHECK(real == trips - 0.5);                                        \
            CHECK_EQUAL(large, (long long) (trips - 1) << 40);                 \
        }                                                                      \
    }
LAST(plain, "omp parallel for lastprivate(last, real, large)")
LAST(in_turn, "omp parallel for schedule(static, 2) lastprivate(last, real, large)")
LAST(dynamic, "omp parallel for schedule(dynamic, 3) lastprivate(last, real, large)")
LAST(guided, "omp parallel for schedule(guided) lastprivate(last, real, large)")
LAST(runtime, "omp parallel for schedule(runtime) lastprivate(last, real, large)")
LAST(simd, "omp simd lastprivate(last, real, large)")
LAST(parallel_simd, "omp parallel for simd lastprivate(last, real, large)")

static void arrays_and_structures(void)
{
    int numbers[50];
    struct {
        char name[10];
        int number;
    } thing;
    memset(&thing, 0, sizeof thing);
#pragma omp parallel for lastprivate(numbers, thing) schedule(dynamic)
    for (int i = 0; i < 30; i++) {
        for (int k = 0; k < 50; k++) numbers[k] = i + k;
        snprintf(thing.name, sizeof thing.name, "no %d", i);
        thing.number = i;
    }
    for (int k = 0; k < 50; k++) CHECK_EQUAL(numbers[k], 29 + k);
    CHECK(strcmp(thing.name, "no 29") == 0 && thing.number == 29);
}

static void first_and_last(void)
{
    for (int round = 0; round < 20; round++) {
        int value = 1000;
        int wrong = 0;
#pragma omp parallel for firstprivate(value) lastprivate(value) schedule(static, 1)
        for (int i = 0; i < 40; i++) {
            if (value != 1000 && value % 7) add_to_word(&wrong, 1);
            value = 7 * i;
        }
        CHECK_EQUAL(value, 273);
        CHECK_EQUAL(wrong, 0);
    }
}

static void empty_loop_leaves_it(void)
{
    int value = 5, none = 0;
#pragma omp parallel for firstprivate(value) lastprivate(value)
    for (int i = 0; i < none; i++) value = i;
    CHECK_EQUAL(value, 5);
}

static void of_the_counter(void)
{
    int i = -1;
#pragma omp parallel for lastprivate(i) schedule(dynamic, 4)
    for (i = 0; i < 100; i += 3) linger();
    CHECK_EQUAL(i, 102);
}

static void sections(void)
{
    for (int round = 0; round < 50; round++) {
        int value = 0;
#pragma omp parallel sections lastprivate(value)
        {
            value = 1;
#pragma omp section
            value = 2;
#pragma omp section
            {
                linger();
                value = 3;
            }
        }
        CHECK_EQUAL(value, 3);
    }
}

static void within_a_region(void)
{
    int value = 0, wrong = 0;
#pragma omp parallel
    for (int round = 1; round < 30; round++) {
#pragma omp for lastprivate(value) schedule(dynamic)
        for (int i = 0; i < 20; i++) value = round * i;
        if (value != round * 19) add_to_word(&wrong, 1);
#pragma omp barrier
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(plain);
    RUN(in_turn);
    RUN(dynamic);
    RUN(guided);
    RUN(runtime);
    RUN(simd);
    RUN(parallel_simd);
    RUN(arrays_and_structures);
    RUN(first_and_last);
    RUN(empty_loop_leaves_it);
    RUN(of_the_counter);
    RUN(sections);
    RUN(within_a_region);
    return finish();
}
