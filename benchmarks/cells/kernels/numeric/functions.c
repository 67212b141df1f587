/* The C library's mathematical functions. */
#include "kernel.h"

#include <math.h>

enum { N = 1 << 16 };
static double argument[N];

void prepare(void)
{
    for (int i = 0; i < N; i++) argument[i] = 0.1 + 20 * random_unit();
}

double work(void)
{
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double x = argument[i];
        sum += exp(-x) + log(x) + sin(x) + cos(x) + pow(x, 1.3) + atan2(x, 3.0) + sqrt(x) + floor(x) + fmod(x, 0.7);
        sum += tanh(x) + cbrt(x);
    }
    return sum;
}
