/* Jacobi iterations of a five-point stencil. */
#include "kernel.h"

enum { N = 500, STEPS = 60 };
static double first[N][N], second[N][N];

void prepare(void) {}

static void step(double (*restrict to)[N], double (*restrict from)[N])
{
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            to[i][j] = 0.25 * (from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1]);
}

double work(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) first[i][j] = second[i][j] = i == 0 ? 1.0 : 0.01 * (double) (j % 7);
    for (int s = 0; s < STEPS; s += 2) step(second, first), step(first, second);
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) sum += first[i][j];
    return sum;
}
