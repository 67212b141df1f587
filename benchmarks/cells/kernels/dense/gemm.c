/* Matrix product in double precision, rows of the result built from rows of the second matrix. */
#include "kernel.h"

enum { N = 290 };
static double a[N][N], b[N][N], c[N][N];

void prepare(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i][j] = random_unit(), b[i][j] = random_unit();
}

double work(void)
{
    double sum = 0;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) c[i][j] = 0;
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
        for (int j = 0; j < N; j++) sum += c[i][j];
    }
    return sum;
}
