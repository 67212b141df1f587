/* Reads whole numbers in text form: strtol, strtoul with bases, atoi. */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

enum { N = 100000 };
static char *text;

void prepare(void)
{
    char *at = text = malloc(N * 24);
    for (int i = 0; i < N; i++) {
        int small = (int) (random_bits() % 1000);
        at += i % 3 == 0 ? sprintf(at, "%d ", (int) random_bits()) : i % 3 == 1 ? sprintf(at, "0x%x ", random_bits()) :
                                                                                 sprintf(at, "%d ", small);
    }
    *at = 0;
}

double work(void)
{
    double sum = 0;
    for (int times = 0; times < 3; times++)
        for (char *at = text; *at;) {
            sum += atoi(at) % 5;
            sum += (double) (at[0] == '0' ? (long) (strtoul(at, &at, 0) & 0xffff) : strtol(at, &at, 10) % 1000);
            at += *at == ' ';
        }
    return sum;
}
