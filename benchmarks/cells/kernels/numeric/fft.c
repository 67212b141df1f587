/* Fast Fourier transform, radix 2, in place. */
#include "kernel.h"

#include <math.h>

enum { BITS = 16, N = 1 << BITS };
static double real[N], imaginary[N], cosine[N / 2], sine[N / 2];

void prepare(void)
{
    for (int i = 0; i < N / 2; i++) {
        cosine[i] = cos(2 * 3.14159265358979323846 * i / N);
        sine[i] = -sin(2 * 3.14159265358979323846 * i / N);
    }
}

static void reorder(void)
{
    for (int i = 1, j = 0; i < N; i++) {
        int bit = N >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            double kept = real[i];
            real[i] = real[j];
            real[j] = kept;
            kept = imaginary[i];
            imaginary[i] = imaginary[j];
            imaginary[j] = kept;
        }
    }
}

static void transform(void)
{
    reorder();
    for (int half = 1; half < N; half *= 2)
        for (int start = 0; start < N; start += 2 * half)
            for (int k = 0; k < half; k++) {
                int i = start + k, j = i + half, w = k * (N / 2 / half);
                double x = real[j] * cosine[w] - imaginary[j] * sine[w];
                double y = real[j] * sine[w] + imaginary[j] * cosine[w];
                real[j] = real[i] - x, imaginary[j] = imaginary[i] - y;
                real[i] += x, imaginary[i] += y;
            }
}

double work(void)
{
    double sum = 0;
    for (int times = 0; times < 8; times++) {
        for (int i = 0; i < N; i++) real[i] = (i * 31 % 97) / 97.0, imaginary[i] = 0;
        transform();
        for (int i = 0; i < N; i += 17) sum += fabs(real[i]) + fabs(imaginary[i]);
    }
    return sum;
}
