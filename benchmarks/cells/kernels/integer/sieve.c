/* Prime numbers by Eratosthenes' sieve, in bits. */
#include "kernel.h"

#include <string.h>

enum { N = 8000000 };
static uint32_t composite[N / 32];

void prepare(void) {}

double work(void)
{
    memset(composite, 0, sizeof composite);
    for (uint32_t i = 2; i * i < N; i++)
        if (!(composite[i / 32] >> i % 32 & 1))
            for (uint32_t j = i * i; j < N; j += i) composite[j / 32] |= 1u << j % 32;
    uint32_t primes = 0;
    for (uint32_t i = 2; i < N; i++) primes += !(composite[i / 32] >> i % 32 & 1);
    return primes;
}
