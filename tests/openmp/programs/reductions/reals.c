/* 2.21.5 reductions of real and complex numbers, by values whose results are exact. */
#include <complex.h>
#include <float.h>
#include <math.h>
#include <omp.h>

#include "../check.h"

enum { SIZE = 200 };

#define TYPE(type, name, most)                                                                   \
    static void name(void)                                                                       \
    {                                                                                            \
        type sum = 100, product = 1, highest = -(most), lowest = most, sum_of_none = 7;          \
        _Pragma("omp parallel for reduction(+ : sum) reduction(* : product)")                    \
        for (int i = 0; i < SIZE; i++) {                                                         \
            sum += (type) 0.25 * i;                                                              \
            product *= i % 2 ? 2 : (type) 0.5;                                                   \
        }                                                                                        \
        CHECK(sum == 100 + (type) 0.25 * (SIZE * (SIZE - 1) / 2));                               \
        CHECK(product == 1);                                                                     \
        _Pragma("omp parallel for schedule(dynamic, 7) reduction(max : highest) reduction(min : lowest)") \
        for (int i = 0; i < SIZE; i++) {                                                         \
            type value = (type) (int) (mix((unsigned) i) % 2001) - 1000;                         \
            if (value > highest) highest = value;                                                \
            lowest = lowest < value ? lowest : value;                                            \
        }                                                                                        \
        type high = -(most), low = most;                                                         \
        for (int i = 0; i < SIZE; i++) {                                                         \
            type value = (type) (int) (mix((unsigned) i) % 2001) - 1000;                         \
            if (value > high) high = value;                                                      \
            if (value < low) low = value;                                                        \
        }                                                                                        \
        CHECK(highest == high && lowest == low);                                                 \
        _Pragma("omp parallel for reduction(+ : sum_of_none)")                                   \
        for (int i = 0; i < 0; i++) sum_of_none += 1;                                            \
        CHECK(sum_of_none == 7);                                                                 \
    }
TYPE(float, floats, FLT_MAX)
TYPE(double, doubles, DBL_MAX)
TYPE(long double, long_doubles, LDBL_MAX)

static void infinities(void)
{
    double highest = -INFINITY, lowest = INFINITY;
    int wrong = 0;
#pragma omp parallel reduction(max : highest) reduction(min : lowest)
    {
        if (highest > -DBL_MAX || lowest < DBL_MAX) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK(highest == -INFINITY || highest == -DBL_MAX);
}

static void complex_numbers(void)
{
    double complex sum = 1, product = 1;
    float complex single = 0;
#pragma omp parallel for reduction(+ : sum, single) reduction(* : product)
    for (int i = 0; i < 32; i++) {
        sum += i + 2.0 * i * I;
        single += 1.0f - 0.5f * I;
        product *= i % 4 == 0 ? 1.0 * I : 1.0;
    }
    CHECK(creal(sum) == 497 && cimag(sum) == 992);
    CHECK(crealf(single) == 32 && cimagf(single) == -16);
    CHECK(creal(product) == 1 && cimag(product) == 0);
}

static void minus(void)
{
    double difference = 10;
    int whole = 10;
#pragma omp parallel for reduction(- : difference, whole)
    for (int i = 0; i < 100; i++) {
        difference -= i;
        whole -= i;
    }
    CHECK(difference == -4940 && whole == -4940);
}

static void logical(void)
{
    double all = 1, any = 0;
    float single = 1;
#pragma omp parallel for reduction(&& : all, single) reduction(|| : any)
    for (int i = 0; i < 100; i++) {
        all = all && i >= 0;
        single = single && i != 50;
        any = any || i == 99;
    }
    CHECK(all == 1 && single == 0 && any == 1);
}

int main(void)
{
    RUN(floats);
    RUN(doubles);
    RUN(long_doubles);
    RUN(infinities);
    RUN(complex_numbers);
    RUN(minus);
    RUN(logical);
    return finish();
}
