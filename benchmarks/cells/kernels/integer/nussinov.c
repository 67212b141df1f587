/* Folding of a strand of RNA: dynamic programming over intervals. */
#include "kernel.h"

enum { N = 420 };
static int8_t strand[N];
static int best[N][N];

void prepare(void)
{
    for (int i = 0; i < N; i++) strand[i] = (int8_t) (random_bits() % 4);
}

static int most(int a, int b) { return a > b ? a : b; }

double work(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) best[i][j] = 0;
    for (int i = N - 1; i >= 0; i--)
        for (int j = i + 1; j < N; j++) {
            int value = most(best[i][j - 1], i + 1 < N ? best[i + 1][j] : 0);
            if (i + 1 < j) value = most(value, best[i + 1][j - 1] + (strand[i] + strand[j] == 3));
            for (int k = i + 1; k < j; k++) value = most(value, best[i][k] + best[k + 1][j]);
            best[i][j] = value;
        }
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) sum += best[i][j];
    return sum;
}
