/* 2.10.2 single: one thread does it, the others wait at its end; nowait; copyprivate gives its values to all. */
#include <omp.h>

#include "../check.h"

static void one_thread_each_time(void)
{
    enum { ROUNDS = 2000 };
    static int counts[ROUNDS];
    memset(counts, 0, sizeof counts);
#pragma omp parallel
    for (int round = 0; round < ROUNDS; round++) {
#pragma omp single nowait
        add_to_word(&counts[round], 1);
    }
    for (int round = 0; round < ROUNDS; round++) CHECK_EQUAL(counts[round], 1);
}

static void the_others_wait(void)
{
    int value = -1, wrong = 0;
#pragma omp parallel
    for (int round = 0; round < 500; round++) {
#pragma omp single
        {
            if (round % 50 == 0) linger();
            value = round;
        }
        if (value != round) add_to_word(&wrong, 1);
#pragma omp barrier
    }
    CHECK_EQUAL(wrong, 0);
}

static void data(void)
{
    int own = 3, first = 4, seen = 0;
#pragma omp parallel
    {
#pragma omp single private(own) firstprivate(first)
        {
            own = 10;
            seen = own + first;
            first = 0;
        }
    }
    CHECK_EQUAL(seen, 14);
    CHECK(own == 3 && first == 4);
}

static int own_number;
#pragma omp threadprivate(own_number)

static void copyprivate(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        int value = -1, list[30];
        double real = 0;
        long long large = 0;
        char *text = NULL;
        for (int round = 0; round < 200; round++) {
#pragma omp single copyprivate(value, real, large, text, list, own_number)
            {
                value = round;
                real = round / 4.0;
                large = (long long) round << 35;
                text = round % 2 ? "odd" : "even";
                for (int i = 0; i < 30; i++) list[i] = round + i;
                own_number = -round;
            }
            if (value != round || real != round / 4.0 || large != (long long) round << 35) add_to_word(&wrong, 1);
            if (text[0] != (round % 2 ? 'o' : 'e') || own_number != -round) add_to_word(&wrong, 1);
            for (int i = 0; i < 30; i++)
                if (list[i] != round + i) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void copyprivate_of_the_region(void)
{
    int wrong = 0, value = 0;
#pragma omp parallel private(value)
    {
        value = omp_get_thread_num() + 1000;
#pragma omp single copyprivate(value)
        value = 17;
        if (value != 17) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void among_other_constructs(void)
{
    int singles = 0, sum = 0, masters = 0;
#pragma omp parallel
    for (int round = 0; round < 50; round++) {
#pragma omp single
        singles++;
#pragma omp for reduction(+ : sum) schedule(dynamic, 2)
        for (int i = 0; i < 10; i++) sum += i;
#pragma omp single nowait
        add_to_word(&singles, 1);
#pragma omp master
        masters++;
#pragma omp barrier
    }
    CHECK_EQUAL(singles, 100);
    CHECK_EQUAL(sum, 2250);
    CHECK_EQUAL(masters, 50);
}

int main(void)
{
    RUN(one_thread_each_time);
    RUN(the_others_wait);
    RUN(data);
    RUN(copyprivate);
    RUN(copyprivate_of_the_region);
    RUN(among_other_constructs);
    return finish();
}
