/* 2.11.4 schedule: with every kind and chunk each iteration is done once, whatever the bounds and the step. */
#include <omp.h>

#include "../check.h"

enum { MOST = 1200 };
static int counts[MOST];

/* The loop from `first`, `trips` iterations by `step`; iteration k is counted in counts[k]. */
#define LOOP(name, clause)                                                          \
    static void name(int first, int step, int trips)                                \
    {                                                                               \
        if (step > 0) {                                                             \
            _Pragma(clause) for (int i = first; i < first + trips * step; i += step) \
                add_to_word(&counts[(i - first) / step], 1);                        \
        } else {                                                                    \
            _Pragma(clause) for (int i = first; i > first + trips * step; i += step) \
                add_to_word(&counts[(i - first) / step], 1);                        \
        }                                                                           \
    }

LOOP(plain, "omp parallel for")
LOOP(fixed, "omp parallel for schedule(static)")
LOOP(fixed_1, "omp parallel for schedule(static, 1)")
LOOP(fixed_7, "omp parallel for schedule(static, 7)")
LOOP(fixed_100000, "omp parallel for schedule(static, 100000)")
LOOP(dynamic, "omp parallel for schedule(dynamic)")
LOOP(dynamic_1, "omp parallel for schedule(dynamic, 1)")
LOOP(dynamic_5, "omp parallel for schedule(dynamic, 5)")
LOOP(dynamic_1000, "omp parallel for schedule(dynamic, 1000)")
LOOP(guided, "omp parallel for schedule(guided)")
LOOP(guided_4, "omp parallel for schedule(guided, 4)")
LOOP(guided_300, "omp parallel for schedule(guided, 300)")
LOOP(automatic, "omp parallel for schedule(auto)")
LOOP(runtime, "omp parallel for schedule(runtime)")
LOOP(monotonic, "omp parallel for schedule(monotonic : dynamic, 3)")
LOOP(nonmonotonic, "omp parallel for schedule(nonmonotonic : dynamic, 3)")
LOOP(nonmonotonic_guided, "omp parallel for schedule(nonmonotonic : guided)")
LOOP(monotonic_static, "omp parallel for schedule(monotonic : static, 2)")
LOOP(simd_modifier, "omp parallel for schedule(simd : static, 5)")
LOOP(five_threads, "omp parallel for num_threads(5) schedule(static, 3)")
LOOP(in_order, "omp parallel for ordered schedule(dynamic, 2)")

static void try(void (*loop)(int, int, int))
{
    static const int trips[] = {0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 1000, 1199};
    static const int steps[] = {1, 2, 7, -1, -3};
    for (unsigned t = 0; t < sizeof trips / sizeof *trips; t++)
        for (unsigned s = 0; s < sizeof steps / sizeof *steps; s++) {
            memset(counts, 0, sizeof counts);
            loop(17 - 40 * (int) s, steps[s], trips[t]);
            for (int i = 0; i < MOST; i++) CHECK_EQUAL(counts[i], i < trips[t]);
        }
}

#define TEST(name) static void with_##name(void) { try(name); }
TEST(plain)
TEST(fixed)
TEST(fixed_1)
TEST(fixed_7)
TEST(fixed_100000)
TEST(dynamic)
TEST(dynamic_1)
TEST(dynamic_5)
TEST(dynamic_1000)
TEST(guided)
TEST(guided_4)
TEST(guided_300)
TEST(automatic)
TEST(runtime)
TEST(monotonic)
TEST(nonmonotonic)
TEST(nonmonotonic_guided)
TEST(monotonic_static)
TEST(simd_modifier)
TEST(five_threads)
TEST(in_order)

int main(void)
{
    RUN(with_plain);
    RUN(with_fixed);
    RUN(with_fixed_1);
    RUN(with_fixed_7);
    RUN(with_fixed_100000);
    RUN(with_dynamic);
    RUN(with_dynamic_1);
    RUN(with_dynamic_5);
    RUN(with_dynamic_1000);
    RUN(with_guided);
    RUN(with_guided_4);
    RUN(with_guided_300);
    RUN(with_automatic);
    RUN(with_runtime);
    RUN(with_monotonic);
    RUN(with_nonmonotonic);
    RUN(with_nonmonotonic_guided);
    RUN(with_monotonic_static);
    RUN(with_simd_modifier);
    RUN(with_five_threads);
    RUN(with_in_order);
    return finish();
}
