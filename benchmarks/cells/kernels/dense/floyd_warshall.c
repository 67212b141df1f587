/* Shortest paths between all pairs. */
#include "kernel.h"

enum { N = 325 };
static int length[N][N], distance[N][N];

void prepare(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) length[i][j] = 1 + (int) (random_bits() % 1000);
}

double work(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) distance[i][j] = length[i][j];
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int by = distance[i][k] + distance[k][j];
                if (by < distance[i][j]) distance[i][j] = by;
            }
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) sum += distance[i][j];
    return sum;
}
