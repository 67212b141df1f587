/* SHA-256 of a few megabytes. */
#include "kernel.h"

enum { BLOCKS = 40000 };
static uint32_t round_constant[64];
static uint8_t text[BLOCKS * 64];

/* The constants are the fractional parts of the cube roots of the first primes, by integer bisection. */
static uint32_t cube_root_fraction(uint32_t prime)
{
    uint64_t low = 0, high = (uint64_t) 8 << 32;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        unsigned __int128 square = (unsigned __int128) middle * middle;
        if ((square >> 32) * middle >> 32 < (unsigned __int128) prime << 32)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t) low;
}

void prepare(void)
{
    for (uint32_t n = 2, found = 0; found < 64; n++) {
        uint32_t divisor = 2;
        while (n % divisor) divisor++;
        if (divisor == n) round_constant[found++] = cube_root_fraction(n);
    }
    for (int i = 0; i < BLOCKS * 64; i++) text[i] = (uint8_t) random_bits();
}

static uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t) block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    for (int i = 0; i < 8; i++) s[i] = state[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25), choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t first = s[7] + e + choice + round_constant[i] + w[i];
        uint32_t a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t second = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        for (int k = 7; k > 0; k--) s[k] = s[k - 1];
        s[4] += first, s[0] = first + second;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

double work(void)
{
    uint32_t state[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int i = 0; i < BLOCKS; i++) compress(state, text + 64 * i);
    return (double) state[0] + (double) state[7];
}
