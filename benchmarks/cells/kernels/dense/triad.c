/* a = b + s * c over vectors that stay in the second-level cache. */
#include "kernel.h"

enum { N = 16000, TIMES = 2000 };
static double a[N], b[N], c[N];

void prepare(void)
{
    for (int i = 0; i < N; i++) b[i] = random_unit(), c[i] = random_unit();
}

double work(void)
{
    for (int t = 0; t < TIMES; t++) {
        double scale = 1.0 + 0.001 * t;
        for (int i = 0; i < N; i++) a[i] = b[i] + scale * c[i];
        b[t % N] = a[(t * 7) % N];
    }
    double sum = 0;
    for (int i = 0; i < N; i++) sum += a[i];
    return sum;
}
