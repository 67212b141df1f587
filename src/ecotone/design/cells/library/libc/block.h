/* Sixteen bytes at a time, for the string functions beside this file, which stand in for those of the C library.
 *
 * A block that begins at a multiple of its size never reaches beyond the end of memory, which is a multiple of 64 KiB:
 * so whole blocks may be read around every byte that may be read. What is read in front or behind is masked out. */
#ifndef ECO_BLOCK_H
#define ECO_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))

enum { BLOCK = 16, LINE = 4 * BLOCK, PAGE = 65536 };

typedef v128_t block;

INLINE block load(const void *at) { return wasm_v128_load(at); }
INLINE void store(void *at, block data) { wasm_v128_store(at, data); }
INLINE block repeat(int byte) { return wasm_i8x16_splat((int8_t) byte); }
INLINE block either(block a, block b) { return wasm_v128_or(a, b); }
INLINE block equal(block a, block b) { return wasm_i8x16_eq(a, b); }
INLINE bool any(block matches) { return wasm_v128_any_true(matches); }
/* Bit i is set where byte i matches. */
INLINE uint32_t bits(block matches) { return wasm_i8x16_bitmask(matches); }
INLINE uint32_t lowest(uint32_t set) { return (uint32_t) __builtin_ctz(set); }
INLINE const char *block_of(const char *at) { return (const char *) ((uintptr_t) at & -(uintptr_t) BLOCK); }

/* Whether sixteen bytes from here on may be read though fewer belong to the string: not across the end of a page, which
 * may be the last. */
INLINE bool inside_page(const char *at) { return ((uintptr_t) at & (PAGE - 1)) <= PAGE - BLOCK; }

/* The end of a range that may be given as "as long as it takes". */
INLINE const char *end_of(const char *from, size_t size)
{
    uintptr_t most = UINTPTR_MAX - (uintptr_t) from;
    return from + (size < most ? size : most);
}

#define NO_END ((const char *) UINTPTR_MAX)

/* What a search looks for: blocks of repeated bytes, or a table of a set. */
struct wanted { block first, second; };

typedef block matcher(block data, struct wanted wanted);

/* The first byte from `from` on that matches, or `end`. */
INLINE const char *find(const char *from, const char *end, matcher *match, struct wanted wanted)
{
    if (from >= end) return end;
    const char *at = block_of(from);
    uint32_t found = bits(match(load(at), wanted)) >> (from - at);
    if (found) {
        at = from + lowest(found);
        return at < end ? at : end;
    }
    for (at += BLOCK; (uintptr_t) at % LINE; at += BLOCK) {
        if (at >= end) return end;
        found = bits(match(load(at), wanted));
        if (found) goto here;
    }
    for (;; at += LINE) {
        if (at >= end) return end;
        block a = match(load(at), wanted), b = match(load(at + BLOCK), wanted);
        block c = match(load(at + 2 * BLOCK), wanted), d = match(load(at + 3 * BLOCK), wanted);
        if (any(either(either(a, b), either(c, d)))) break;
    }
    while (!(found = bits(match(load(at), wanted)))) at += BLOCK;
here:
    at += lowest(found);
    return at < end ? at : end;
}

/* Copies between blocks that do not overlap: short ones without a call to the host. */
INLINE void copy(char *to, const char *from, size_t size)
{
    if (size >= BLOCK) {
        if (size > 512) {
            __builtin_memcpy(to, from, size);
            return;
        }
        size_t last = size - BLOCK;
        for (size_t i = 0; i < last; i += BLOCK) store(to + i, load(from + i));
        store(to + last, load(from + last));
    } else if (size >= 8) {
        uint64_t head, tail;
        __builtin_memcpy(&head, from, 8);
        __builtin_memcpy(&tail, from + size - 8, 8);
        __builtin_memcpy(to, &head, 8);
        __builtin_memcpy(to + size - 8, &tail, 8);
    } else if (size >= 4) {
        uint32_t head, tail;
        __builtin_memcpy(&head, from, 4);
        __builtin_memcpy(&tail, from + size - 4, 4);
        __builtin_memcpy(to, &head, 4);
        __builtin_memcpy(to + size - 4, &tail, 4);
    } else {
        for (size_t i = 0; i < size; i++) to[i] = from[i];
    }
}
#endif
