/* Conjugate gradients on a sparse matrix in compressed rows: a grid with some far couplings. */
#include "kernel.h"

enum { SIDE = 160, N = SIDE * SIDE, ROW = 7 };
static int column[N * ROW];
static double value[N * ROW], x[N], r[N], p[N], q[N];

void prepare(void)
{
    for (int i = 0; i < N; i++) {
        int near[ROW] = {i, i - 1, i + 1, i - SIDE, i + SIDE, 0, 0};
        near[5] = (int) (random_bits() % N), near[6] = (int) (random_bits() % N);
        for (int k = 0; k < ROW; k++) {
            column[i * ROW + k] = (near[k] % N + N) % N;
            value[i * ROW + k] = k == 0 ? 8.0 : k < 5 ? -1.0 : -0.01;
        }
    }
}

static void multiply(void)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int k = i * ROW; k < (i + 1) * ROW; k++) sum += value[k] * p[column[k]];
        q[i] = sum;
    }
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < N; i++) sum += a[i] * b[i];
    return sum;
}

double work(void)
{
    for (int i = 0; i < N; i++) x[i] = 0, r[i] = p[i] = 1.0 + i % 5;
    double norm = dot(r, r);
    for (int s = 0; s < 60; s++) {
        multiply();
        double step = norm / dot(p, q), before = norm;
        for (int i = 0; i < N; i++) x[i] += step * p[i], r[i] -= step * q[i];
        norm = dot(r, r);
        for (int i = 0; i < N; i++) p[i] = r[i] + norm / before * p[i];
        if (norm < 1e-20) norm = 1e-20;
    }
    double sum = 0;
    for (int i = 0; i < N; i++) sum += x[i];
    return sum;
}
