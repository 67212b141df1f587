/* Comparisons of blocks and strings. */
#include "block.h"

static int differ(const void *a, const void *b, size_t at)
{
    return ((const unsigned char *) a)[at] - ((const unsigned char *) b)[at];
}

static int compare_short(const char *a, const char *b, size_t size)
{
    if (inside_page(a) && inside_page(b)) {
        uint32_t different = ~bits(equal(load(a), load(b))) & ((1u << size) - 1);
        return different ? differ(a, b, lowest(different)) : 0;
    }
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i]) return differ(a, b, i);
    return 0;
}

int memcmp(const void *first, const void *second, size_t size)
{
    const char *a = first, *b = second;
    if (size < BLOCK) return compare_short(a, b, size);
    size_t at = 0, last = size - BLOCK;
    for (; at + LINE <= size; at += LINE) {
        block same = wasm_v128_and(wasm_v128_and(equal(load(a + at), load(b + at)),
                                                 equal(load(a + at + BLOCK), load(b + at + BLOCK))),
                                   wasm_v128_and(equal(load(a + at + 2 * BLOCK), load(b + at + 2 * BLOCK)),
                                                 equal(load(a + at + 3 * BLOCK), load(b + at + 3 * BLOCK))));
        if (!wasm_i8x16_all_true(same)) break;
    }
    for (;; at += BLOCK) {
        if (at > last) at = last; /* the last block overlaps what is known to be equal */
        uint32_t different = bits(equal(load(a + at), load(b + at))) ^ 0xffff;
        if (different) return differ(a, b, at + lowest(different));
        if (at == last) return 0;
    }
}

int bcmp(const void *first, const void *second, size_t size) { return memcmp(first, second, size); }

/* The common part of strcmp and strncmp; inlined with `most` as a constant it costs nothing. */
INLINE int compare(const char *a, const char *b, size_t most)
{
    size_t at = 0;
    while (at < most) {
        if (inside_page(a + at) && inside_page(b + at)) {
            block data = load(a + at);
            block same = equal(data, load(b + at)), end = equal(data, repeat(0));
            uint32_t stop = bits(wasm_v128_andnot(same, end)) ^ 0xffff;
            if (stop) {
                at += lowest(stop);
                return at < most ? differ(a, b, at) : 0;
            }
            at += BLOCK;
        } else {
            for (size_t end = at + BLOCK; at < end; at++) {
                if (at >= most) return 0;
                if (a[at] != b[at] || !a[at]) return differ(a, b, at);
            }
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    if (*a != *b) return differ(a, b, 0);
    return compare(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t most) { return compare(a, b, most); }
int strcoll(const char *a, const char *b) { return strcmp(a, b); }
