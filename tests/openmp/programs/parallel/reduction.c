/* 2.21.5 reduction on parallel: one value from each thread, several variables, the value from before. */
#include <omp.h>

#include "../check.h"

static void counts_the_team(void)
{
    for (int round = 0; round < 300; round++) {
        int sum = 10, size = 0, most = -1;
        long long product = 3;
#pragma omp parallel reduction(+ : sum) reduction(max : most) reduction(* : product) num_threads(1 + round % 6)
        {
            sum += 1;
            most = omp_get_thread_num();
            product *= 2;
#pragma omp master
            size = omp_get_num_threads();
        }
        CHECK_EQUAL(sum, 10 + size);
        CHECK_EQUAL(most, size - 1);
        CHECK_EQUAL(product, 3LL << size);
    }
}

static void own_copies_start_neutral(void)
{
    int sum = 100, all = -1, any = 8, lowest = 7, wrong = 0;
    double product = 5;
#pragma omp parallel reduction(+ : sum) reduction(& : all) reduction(| : any) reduction(min : lowest) reduction(* : product)
    if (sum != 0 || all != -1 || any != 0 || lowest != 2147483647 || product != 1) add_to_word(&wrong, 1);
    CHECK_EQUAL(wrong, 0);
    CHECK(sum == 100 && all == -1 && any == 8 && lowest == 7 && product == 5);
}

static void in_steps_of_a_region(void)
{
    int first = 0, second = 0, wrong = 0, size = 0;
#pragma omp parallel shared(first, second)
    {
#pragma omp for reduction(+ : first)
        for (int i = 0; i < 100; i++) first += i;
        if (first != 4950) add_to_word(&wrong, 1);
#pragma omp barrier
#pragma omp for reduction(+ : first, second) nowait
        for (int i = 0; i < 100; i++) {
            first += 1;
            second += 2;
        }
#pragma omp barrier
        if (first != 5050 || second != 200) add_to_word(&wrong, 1);
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(first, 5050);
    CHECK(size > 0);
}

static void many_variables(void)
{
    int a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    double r = 0, s = 0, t = 0;
    char u = 0;
#pragma omp parallel for reduction(+ : a, b, c, d, e, f, g, h, r, s, t, u)
    for (int i = 0; i < 64; i++) a += 1, b += 2, c += 3, d += 4, e += 5, f += 6, g += 7, h += 8, r += 0.5, s += i, t -= i, u++;
    CHECK(a == 64 && b == 128 && c == 192 && d == 256 && e == 320 && f == 384 && g == 448 && h == 512);
    CHECK(r == 32 && s == 2016 && t == -2016 && u == 64);
}


static void through_pointers(void)
{
    int value = 0, *place = &value, size = 0;
#pragma omp parallel reduction(+ : place[0])
    {
        place[0]++;
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(value, size);
}

int main(void)
{
    RUN(counts_the_team);
    RUN(own_copies_start_neutral);
    RUN(in_steps_of_a_region);
    RUN(many_variables);
    RUN(through_pointers);
    return finish();
}
