/* 2.21.2 threadprivate and 2.21.6.1 copyin: values of their own for each thread, which last from region to region. */
#include <omp.h>

#include "../check.h"

static int number = 5;
static double table[100];
static struct {
    int left;
    long long right;
} pair = {1, 2};
#pragma omp threadprivate(number, table, pair)

static int *own_counter(void)
{
    static int counter;
#pragma omp threadprivate(counter)
    return &counter;
}

static void starts_with_the_value(void)
{
    int wrong = 0;
#pragma omp parallel
    if (number != 5 || table[50] != 0 || pair.left != 1 || pair.right != 2) add_to_word(&wrong, 1);
    CHECK_EQUAL(wrong, 0);
}

static void each_has_its_own(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        number = 100 + omp_get_thread_num();
        pair.right = -omp_get_thread_num();
        linger();
        if (number != 100 + omp_get_thread_num() || pair.right != -omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(number, 100);
}

/* Guaranteed for teams of the same size, with dyn-var false. */
static void lasts_between_regions(void)
{
    int wrong = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(4)
    {
        number = 7 * omp_get_thread_num();
        *own_counter() = 0;
    }
    for (int round = 0; round < 50; round++) {
#pragma omp parallel num_threads(4)
        {
            ++*own_counter();
            if (number != 7 * omp_get_thread_num()) add_to_word(&wrong, 1);
        }
    }
#pragma omp parallel num_threads(4)
    if (*own_counter() != 50) add_to_word(&wrong, 1);
    CHECK_EQUAL(wrong, 0);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void copyin_gives_the_masters(void)
{
    int wrong = 0;
#pragma omp parallel
    number = -1;
    for (int round = 0; round < 20; round++) {
        number = round;
        pair.left = 2 * round;
        for (int i = 0; i < 100; i++) table[i] = round + i;
#pragma omp parallel copyin(number, table, pair)
        {
            if (number != round || pair.left != 2 * round || table[99] != round + 99) add_to_word(&wrong, 1);
            number = 1000 + omp_get_thread_num();
            table[99] = 0;
        }
        CHECK_EQUAL(number, 1000);
    }
    CHECK_EQUAL(wrong, 0);
}

static void copyin_of_combined(void)
{
    int sum = 0;
    number = 3;
#pragma omp parallel for copyin(number) reduction(+ : sum)
    for (int i = 0; i < 100; i++) sum += number;
    CHECK_EQUAL(sum, 300);
    number = 4;
    sum = 0;
#pragma omp parallel sections copyin(number) reduction(+ : sum)
    {
        sum += number;
#pragma omp section
        sum += number;
#pragma omp section
        sum += number;
    }
    CHECK_EQUAL(sum, 12);
}

static void addresses_differ(void)
{
    enum { MOST = 8 };
    int *places[MOST] = {0}, size = 0;
#pragma omp parallel num_threads(MOST)
    {
        places[omp_get_thread_num()] = &number;
#pragma omp single
        size = omp_get_num_threads();
    }
    CHECK(places[0] == &number);
    for (int one = 0; one < size; one++)
        for (int other = 0; other < one; other++) CHECK(places[one] != places[other]);
}

static _Thread_local int language = 9;

static void thread_locals_of_c(void)
{
    int wrong = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(4)
    {
        if (omp_get_thread_num() && language != 9) add_to_word(&wrong, 1);
        language = omp_get_thread_num();
        linger();
        if (language != omp_get_thread_num()) add_to_word(&wrong, 1);
        language = 9;
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(starts_with_the_value);
    RUN(each_has_its_own);
    RUN(lasts_between_regions);
    RUN(copyin_gives_the_masters);
    RUN(copyin_of_combined);
    RUN(addresses_differ);
    RUN(thread_locals_of_c);
    return finish();
}
