/* Five by five convolution of an image in single precision. */
#include "kernel.h"

enum { W = 644, H = 480, K = 5 };
static float image[H + K][W + K], weights[K][K], result[H][W];

void prepare(void)
{
    for (int i = 0; i < H + K; i++)
        for (int j = 0; j < W + K; j++) image[i][j] = (float) random_unit();
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++) weights[i][j] = (float) random_unit() - 0.5f;
}

double work(void)
{
    double sum = 0;
    for (int times = 0; times < 12; times++)
        for (int i = 0; i < H; i++) {
            for (int j = 0; j < W; j++) result[i][j] = 0;
            for (int y = 0; y < K; y++)
                for (int x = 0; x < K; x++)
                    for (int j = 0; j < W; j++) result[i][j] += weights[y][x] * image[i + y][j + x];
            for (int j = 0; j < W; j++) sum += (double) result[i][j];
        }
    return sum;
}
