/* Quicksort of random numbers: branches nobody can predict. */
#include "kernel.h"

#include <string.h>

enum { N = 500000 };
static uint32_t given[N], numbers[N];

void prepare(void)
{
    for (int i = 0; i < N; i++) given[i] = random_bits();
}

static void sort(uint32_t *first, uint32_t *last)
{
    while (last - first > 16) {
        uint32_t pivot = first[(last - first) / 2], *low = first, *high = last;
        while (low <= high) {
            while (*low < pivot) low++;
            while (*high > pivot) high--;
            if (low <= high) {
                uint32_t kept = *low;
                *low++ = *high;
                *high-- = kept;
            }
        }
        sort(first, high);
        first = low;
    }
    for (uint32_t *i = first + 1; i <= last; i++) {
        uint32_t value = *i, *j = i;
        for (; j > first && j[-1] > value; j--) *j = j[-1];
        *j = value;
    }
}

double work(void)
{
    memcpy(numbers, given, sizeof numbers);
    sort(numbers, numbers + N - 1);
    double sum = 0;
    for (int i = 0; i < N; i++) sum += (double) (numbers[i] >> 8) * (i % 100);
    return sum;
}
