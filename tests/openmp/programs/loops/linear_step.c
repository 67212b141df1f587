/* 2.21.4.6 linear with a step that is a variable. */
// cell: clang 22 takes such a step for 0, on x86-64 too
#include <omp.h>

#include "../check.h"

static void of_static(void)
{
    long long place = -5;
    int step = 2, wrong = 0;
#pragma omp parallel for linear(place : step)
    for (int i = 0; i < 77; i++) {
        if (place != -5 + 2 * i) add_to_word(&wrong, 1);
        place += 2;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(place, 149);
}

int main(void)
{
    RUN(of_static);
    return finish();
}
