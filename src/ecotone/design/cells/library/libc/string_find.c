/* Lengths, and bytes in strings and blocks. */
#include "block.h"

INLINE block is_first(block data, struct wanted wanted) { return equal(data, wanted.first); }

INLINE block is_first_or_end(block data, struct wanted wanted)
{
    return either(equal(data, wanted.first), equal(data, repeat(0)));
}

static struct wanted byte(int value) { return (struct wanted) {.first = repeat(value)}; }

size_t strlen(const char *text) { return (size_t) (find(text, NO_END, is_first, byte(0)) - text); }

size_t strnlen(const char *text, size_t most)
{
    return (size_t) (find(text, end_of(text, most), is_first, byte(0)) - text);
}

void *memchr(const void *from, int value, size_t size)
{
    const char *end = end_of(from, size), *at = find(from, end, is_first, byte(value));
    return at == end ? NULL : (void *) at;
}

char *strchrnul(const char *text, int value)
{
    return (char *) find(text, NO_END, is_first_or_end, byte(value));
}

char *strchr(const char *text, int value)
{
    const char *at = find(text, NO_END, is_first_or_end, byte(value));
    return *at == (char) value ? (char *) at : NULL;
}

void *memrchr(const void *from, int value, size_t size)
{
    const char *start = from, *end = start + size;
    if (!size) return NULL;
    block wanted = repeat(value);
    for (const char *at = block_of(end - 1);; at -= BLOCK) {
        uint32_t found = bits(equal(load(at), wanted));
        if (end - at < BLOCK) found &= (1u << (end - at)) - 1;
        if (found) {
            const char *last = at + 31 - __builtin_clz(found);
            return last >= start ? (void *) last : NULL;
        }
        if (at <= start) return NULL;
    }
}

char *strrchr(const char *text, int value) { return memrchr(text, value, strlen(text) + 1); }

char *__strchrnul(const char *text, int value) { return strchrnul(text, value); }
void *__memrchr(const void *from, int value, size_t size) { return memrchr(from, value, size); }
