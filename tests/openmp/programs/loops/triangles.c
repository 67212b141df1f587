/* 2.11.1 collapse of loops that are not rectangular. */
// gcc: 12 counts them with a variable that has no value; without optimisation the program crashes
#include <omp.h>

#include "../check.h"

static int seen[4000];

static void expect(int number)
{
    for (int i = 0; i < 4000; i++) CHECK_EQUAL(seen[i], i < number);
    memset(seen, 0, sizeof seen);
}

static void triangles(void)
{
#pragma omp parallel for collapse(2)
    for (int i = 0; i < 40; i++)
        for (int j = 0; j < i; j++) add_to_word(&seen[i * (i - 1) / 2 + j], 1);
    expect(780);
#pragma omp parallel for collapse(2)
    for (int i = 0; i < 40; i++)
        for (int j = i; j < 40; j++) add_to_word(&seen[i * 40 - i * (i - 1) / 2 + j - i], 1);
    expect(820);
#pragma omp parallel for collapse(2)
    for (int i = 0; i < 10; i++)
        for (int j = 2 * i; j < 2 * i + 5; j++) add_to_word(&seen[5 * i + j - 2 * i], 1);
    expect(50);
}

int main(void)
{
    RUN(triangles);
    return finish();
}
