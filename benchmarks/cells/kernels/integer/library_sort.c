/* qsort and bsearch of the C library: comparisons through a pointer. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

enum { N = 120000 };
struct record { uint32_t key; float value; };
static struct record given[N], records[N];

void prepare(void)
{
    for (int i = 0; i < N; i++) given[i] = (struct record) {random_bits() >> 4, (float) i};
}

static int by_key(const void *a, const void *b)
{
    uint32_t x = ((const struct record *) a)->key, y = ((const struct record *) b)->key;
    return x < y ? -1 : x > y;
}

double work(void)
{
    memcpy(records, given, sizeof records);
    qsort(records, N, sizeof *records, by_key);
    double sum = 0;
    for (int i = 0; i < N; i += 3) {
        struct record *found = bsearch(&given[i], records, N, sizeof *records, by_key);
        sum += (double) (found - records) * (i % 7);
    }
    for (int i = 0; i < N; i++) sum += records[i].key % 1000 * (i % 10);
    return sum;
}
