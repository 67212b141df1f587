/* Matrix product in single precision, in blocks that stay in the cache. */
#include "kernel.h"

enum { N = 396, BLOCK = 44 };
static float a[N][N], b[N][N], c[N][N];

void prepare(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i][j] = (float) random_unit(), b[i][j] = (float) random_unit();
}

static void block(int i0, int j0, int k0)
{
    for (int i = i0; i < i0 + BLOCK; i++)
        for (int k = k0; k < k0 + BLOCK; k++)
            for (int j = j0; j < j0 + BLOCK; j++) c[i][j] += a[i][k] * b[k][j];
}

double work(void)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) c[i][j] = 0;
    for (int i = 0; i < N; i += BLOCK)
        for (int k = 0; k < N; k += BLOCK)
            for (int j = 0; j < N; j += BLOCK) block(i, j, k);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) sum += (double) c[i][j];
    return sum;
}
