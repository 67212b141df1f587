/* Searches long texts: strlen, memchr, strstr, memcmp, strcmp on buffers of kilobytes. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

enum { N = 1 << 18 };
static char first[N + 1], second[N + 1];

void prepare(void)
{
    for (int i = 0; i < N; i++) first[i] = second[i] = (char) ("etaoin shrdlu\ncmf"[random_bits() % 17]);
    memcpy(first + N - 40, "the needle in the haystack", 26);
    memcpy(second, first, N);
}

double work(void)
{
    double sum = 0;
    for (int times = 0; times < 30; times++) {
        first[times * 100] = second[times * 100] = 'x';
        sum += (double) strlen(first) + (double) (strstr(first, "the needle in the haystack") - first);
        sum += strcmp(first, second) + memcmp(first, second, N);
        for (char *at = first; (at = memchr(at, '\n', (size_t) (first + N - at))); at++) sum++;
        sum += (double) (strchr(first, 'y') - first);
    }
    return sum;
}
