/* A dictionary coder over a generated text: hashing, copying, unaligned loads. */
#include "kernel.h"

#include <string.h>

enum { N = 1 << 20, TABLE = 1 << 14 };
static uint8_t text[N], packed[N + N / 8], again[N];
static uint32_t last[TABLE];

void prepare(void)
{
    int i = 0;
    while (i < N) {
        uint32_t word = random_bits() % 512, length = 3 + word % 9;
        for (uint32_t k = 0; k < length && i < N; k++) text[i++] = (uint8_t) ('a' + (word * (k + 3) >> 2) % 26);
        if (i < N) text[i++] = ' ';
    }
}

static uint32_t four(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

static int pack(void)
{
    int out = 0, i = 0, literals = 0;
    memset(last, 0, sizeof last);
    while (i < N - 8) {
        uint32_t slot = four(text + i) * 2654435761u >> 18, candidate = last[slot];
        last[slot] = (uint32_t) i;
        if (candidate && i - (int) candidate < 65536 && four(text + candidate) == four(text + i)) {
            int length = 4;
            while (i + length < N - 8 && length < 255 && text[candidate + (uint32_t) length] == text[i + length]) length++;
            int distance = i - (int) candidate;
            packed[out++] = (uint8_t) literals, memcpy(packed + out, text + i - literals, (size_t) literals);
            out += literals, literals = 0;
            packed[out++] = (uint8_t) length, packed[out++] = (uint8_t) distance;
            packed[out++] = (uint8_t) (distance >> 8);
            i += length;
        } else if (literals++, i++, literals == 255) {
            packed[out++] = 255, memcpy(packed + out, text + i - 255, 255);
            out += 255, literals = 0, packed[out++] = 0, packed[out++] = 0, packed[out++] = 0;
        }
    }
    return out;
}

static int unpack(int size)
{
    int out = 0;
    for (int i = 0; i < size;) {
        int literals = packed[i++];
        memcpy(again + out, packed + i, (size_t) literals);
        i += literals, out += literals;
        int length = packed[i], distance = packed[i + 1] | packed[i + 2] << 8;
        for (int k = 0; k < length; k++, out++) again[out] = again[out - distance];
        i += 3;
    }
    return out;
}

double work(void)
{
    double sum = 0;
    for (int times = 0; times < 4; times++) {
        int size = pack(), whole = unpack(size);
        sum += size + (memcmp(text, again, (size_t) whole) ? 1e9 : 0) + whole;
    }
    return sum;
}
