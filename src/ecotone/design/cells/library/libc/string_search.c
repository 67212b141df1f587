/* Strings in strings: candidates by their first and last byte, sixteen places at a time; where a text is so regular that
 * candidates are too many, by a rolling hash, so that the time is never the product of both lengths. */
#include "block.h"

enum { FACTOR = 16777619, PIECE = 1024 };

static const char *by_hash(const char *text, size_t size, const char *wanted, size_t length)
{
    uint32_t hash = 0, goal = 0, leading = 1;
    for (size_t i = 0; i < length; i++) {
        hash = hash * FACTOR + (unsigned char) text[i];
        goal = goal * FACTOR + (unsigned char) wanted[i];
        if (i) leading *= FACTOR;
    }
    for (size_t at = 0;; at++) {
        if (hash == goal && !memcmp(text + at, wanted, length)) return text + at;
        if (at + length >= size) return NULL;
        hash = (hash - (unsigned char) text[at] * leading) * FACTOR + (unsigned char) text[at + length];
    }
}

/* The first place where the `length` bytes of `wanted`, at least two, are in the `size` bytes of `text`. */
static const char *search(const char *text, size_t size, const char *wanted, size_t length)
{
    if (size < length) return NULL;
    block first = repeat(wanted[0]), last = repeat(wanted[length - 1]);
    size_t places = size - length + 1, at = 0, in_vain = 0;
    for (; at + BLOCK <= places; at += BLOCK) {
        block heads = equal(load(text + at), first), tails = equal(load(text + at + length - 1), last);
        for (uint32_t found = bits(wasm_v128_and(heads, tails)); found; found &= found - 1) {
            size_t place = at + lowest(found);
            if (!memcmp(text + place + 1, wanted + 1, length - 1)) return text + place;
            in_vain += length;
        }
        if (in_vain > 8 * (at + PIECE)) return by_hash(text + at, size - at, wanted, length);
    }
    return at < places ? by_hash(text + at, size - at, wanted, length) : NULL;
}

void *memmem(const void *text, size_t size, const void *wanted, size_t length)
{
    if (length == 0) return (void *) text;
    if (length == 1) return memchr(text, *(const char *) wanted, size);
    return (void *) search(text, size, wanted, length);
}

/* The text is measured piece by piece: a match near its beginning must not cost a walk to its end. */
char *strstr(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);
    if (length == 0) return (char *) text;
    text = strchr(text, wanted[0]);
    if (length == 1 || !text) return (char *) text;
    for (size_t piece = PIECE;; piece *= 2) {
        size_t size = strnlen(text, piece + length);
        const char *found = search(text, size, wanted, length);
        if (found || size < piece + length) return (char *) found;
        text += piece;
    }
}
