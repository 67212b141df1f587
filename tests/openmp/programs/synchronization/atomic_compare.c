/* 2.19.7 atomic compare, of 5.1: minima, maxima, and exchanges that happen only if the value is the expected one. */
#include <omp.h>

#include "../check.h"

static void extremes(void)
{
    static int most, least;
    static double real;
    most = -1, least = 1 << 30, real = -1;
    int wanted_most = -1, wanted_least = 1 << 30;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 5000; i++) {
        int value = (int) (mix((unsigned) i) % 1000000);
        double value_real = value;
#pragma omp atomic compare
        if (most < value) { most = value; }
#pragma omp atomic compare
        least = least > value ? value : least;
#pragma omp atomic compare
        if (real < value_real) { real = value_real; }
    }
    for (int i = 0; i < 5000; i++) {
        int value = (int) (mix((unsigned) i) % 1000000);
        if (value > wanted_most) wanted_most = value;
        if (value < wanted_least) wanted_least = value;
    }
    CHECK_EQUAL(most, wanted_most);
    CHECK_EQUAL(least, wanted_least);
    CHECK(real == wanted_most);
}

static void exchange(void)
{
    static int state;
    state = 0;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 1000; i++) {
#pragma omp atomic compare
        if (state == i) { state = i + 100000; }
    }
    CHECK(state == 100000);
    state = 5;
#pragma omp atomic compare
    state = state == 5 ? 6 : state;
    CHECK_EQUAL(state, 6);
#pragma omp atomic compare
    state = state == 5 ? 7 : state;
    CHECK_EQUAL(state, 6);
}

/* A counter out of nothing but exchanges. */
static void counting_with_capture(void)
{
    static int counter;
    counter = 0;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 2000; i++) {
        int expected, done = 0;
        while (!done) {
#pragma omp atomic read
            expected = counter;
            int desired = expected + 1;
#pragma omp atomic compare capture
            {
                done = counter == expected;
                if (done) { counter = desired; }
            }
        }
    }
    CHECK_EQUAL(counter, 2000);
}

static void first_wins(void)
{
    static int owner;
    for (int round = 0; round < 200; round++) {
        int winners = 0;
        owner = -1;
#pragma omp parallel num_threads(4)
        {
            int before, mine = omp_get_thread_num();
#pragma omp atomic compare capture
            {
                before = owner;
                if (owner == -1) { owner = mine; }
            }
            if (before == -1) add_to_word(&winners, 1);
        }
        CHECK_EQUAL(winners, 1);
    }
}

int main(void)
{
    RUN(extremes);
    RUN(exchange);
    RUN(counting_with_capture);
    RUN(first_wins);
    return finish();
}
