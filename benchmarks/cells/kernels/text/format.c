/* Writes numbers and words with snprintf, as programs write their results. */
#include "kernel.h"

#include <stdio.h>
#include <string.h>

enum { N = 20000 };
static double values[N];

void prepare(void)
{
    for (int i = 0; i < N; i++) values[i] = (random_unit() - 0.5) * 2000;
}

double work(void)
{
    double sum = 0;
    char line[256];
    for (int i = 0; i < N; i++) {
        int length = snprintf(line, sizeof line, "%6d %-12s %12.6f %14.6e %g %s\n", i, i % 2 ? "velocity" : "force", values[i],
                              values[i] * 1e-9, values[i] * 1e5, "unit");
        sum += length + line[length / 2];
    }
    return sum;
}
