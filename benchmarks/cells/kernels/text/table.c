/* Reads a table of numbers in text form, as programs read their input: strtod on every field. */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 20000, FIELDS = 6 };
static char *text;

void prepare(void)
{
    char *at = text = malloc(ROWS * FIELDS * 26);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < FIELDS; j++) {
            double value = (random_unit() - 0.5) * (j == 3 ? 1e-7 : j == 4 ? 1e12 : 1000);
            static const char *const formats[] = {"%.3f", "%.6f", "%.17g", "%.8e", "%.12g", "%.2f"};
            at += sprintf(at, formats[j], value);
            *at++ = j + 1 < FIELDS ? ',' : '\n';
        }
    *at = 0;
}

double work(void)
{
    double sum = 0;
    for (char *at = text; *at;) {
        char *end;
        sum += strtod(at, &end) * 1e-3;
        at = end + 1;
    }
    return sum;
}
