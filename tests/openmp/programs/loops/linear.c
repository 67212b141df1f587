/* 2.21.4.6 linear on loops: the value that goes with the iteration, and the one after the last. */
#include <omp.h>

#include "../check.h"

static void of_for(void)
{
    int place = 10, wrong = 0;
#pragma omp parallel for linear(place : 3) schedule(dynamic, 7)
    for (int i = 0; i < 100; i++) {
        if (place != 10 + 3 * i) add_to_word(&wrong, 1);
        place += 3;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(place, 310);
}

static void of_static(void)
{
    long long place = -5;
    int wrong = 0;
#pragma omp parallel for linear(place : 2)
    for (int i = 0; i < 77; i++) {
        if (place != -5 + 2 * i) add_to_word(&wrong, 1);
        place += 2;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(place, 149);
}

static void of_pointers(void)
{
    static int numbers[200];
    int *place = numbers;
#pragma omp parallel for simd linear(place : 2)
    for (int i = 0; i < 100; i++) {
        *place = i;
        place += 2;
    }
    CHECK(place == numbers + 200);
    for (int i = 0; i < 200; i++) CHECK_EQUAL(numbers[i], i % 2 ? 0 : i / 2);
}

static void of_simd(void)
{
    int place = 1, sum = 0;
#pragma omp simd linear(place) reduction(+ : sum)
    for (int i = 0; i < 50; i++) {
        sum += place;
        place++;
    }
    CHECK_EQUAL(place, 51);
    CHECK_EQUAL(sum, 1275);
}

int main(void)
{
    RUN(of_for);
    RUN(of_static);
    RUN(of_pointers);
    RUN(of_simd);
    return finish();
}
