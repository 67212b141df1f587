/* LU decomposition with row pivots. */
#include "kernel.h"

#include <math.h>
#include <string.h>

enum { N = 325 };
static double given[N][N], a[N][N];

void prepare(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) given[i][j] = random_unit() - 0.5;
}

static void exchange(int i, int j)
{
    for (int k = 0; k < N; k++) {
        double kept = a[i][k];
        a[i][k] = a[j][k];
        a[j][k] = kept;
    }
}

double work(void)
{
    double logarithm = 0;
    memcpy(a, given, sizeof a);
    for (int k = 0; k < N; k++) {
        int pivot = k;
        for (int i = k + 1; i < N; i++)
            if (fabs(a[i][k]) > fabs(a[pivot][k])) pivot = i;
        if (pivot != k) exchange(pivot, k);
        logarithm += log(fabs(a[k][k]));
        for (int i = k + 1; i < N; i++) {
            double factor = a[i][k] /= a[k][k];
            for (int j = k + 1; j < N; j++) a[i][j] -= factor * a[k][j];
        }
    }
    return logarithm;
}
