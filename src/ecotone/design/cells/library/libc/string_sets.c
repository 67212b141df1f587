/* Bytes that are, or are not, in a set: strspn and what is built on it. */
#include "block.h"

/* A set of bytes as sixteen columns, by the lower half of a byte; the bits of a column are the upper halves 0 to 7 in
 * `low`, 8 to 15 in `high`. One look-up by the lower half and one by the upper half then answer for sixteen bytes. */
struct set { uint8_t low[BLOCK], high[BLOCK]; };

static struct set set_of(const char *members, bool with_end)
{
    struct set set = {.low = {with_end}};
    for (const unsigned char *at = (const unsigned char *) members; *at; at++) {
        uint8_t *column = *at < 128 ? set.low : set.high;
        column[*at % 16] |= (uint8_t) (1u << (*at / 16 % 8));
    }
    return set;
}

INLINE bool contains(const struct set *set, unsigned char byte)
{
    return (byte < 128 ? set->low : set->high)[byte % 16] >> (byte / 16 % 8) & 1;
}

INLINE block members(block data, struct wanted set)
{
    block column = wasm_v128_and(data, repeat(15)), row = wasm_u8x16_shr(data, 4);
    block low = wasm_i8x16_swizzle(set.first, column), high = wasm_i8x16_swizzle(set.second, column);
    const block bit = wasm_u8x16_make(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
    block rows = wasm_v128_bitselect(high, low, wasm_i8x16_shr(data, 7));
    return wasm_i8x16_ne(wasm_v128_and(rows, wasm_i8x16_swizzle(bit, row)), repeat(0));
}

INLINE block others(block data, struct wanted set) { return wasm_v128_not(members(data, set)); }

static struct wanted blocks(const struct set *set)
{
    return (struct wanted) {.first = load(set->low), .second = load(set->high)};
}

/* The first byte of `text` that is in the set, which contains the end. */
static char *first_member(const char *text, const struct set *set)
{
    for (int i = 0; i < 4; i++, text++) /* most searches end here */
        if (contains(set, (unsigned char) *text)) return (char *) text;
    return (char *) find(text, NO_END, members, blocks(set));
}

/* The first byte of `text` that is not in the set, which does not contain the end. */
static char *first_other(const char *text, const struct set *set)
{
    for (int i = 0; i < 4; i++, text++)
        if (!contains(set, (unsigned char) *text)) return (char *) text;
    return (char *) find(text, NO_END, others, blocks(set));
}

size_t strspn(const char *text, const char *accepted)
{
    struct set set = set_of(accepted, false);
    return (size_t) (first_other(text, &set) - text);
}

size_t strcspn(const char *text, const char *rejected)
{
    struct set set = set_of(rejected, true);
    return (size_t) (first_member(text, &set) - text);
}

char *strpbrk(const char *text, const char *accepted)
{
    char *at = (char *) text + strcspn(text, accepted);
    return *at ? at : NULL;
}

char *strtok_r(char *restrict text, const char *restrict separators, char **restrict rest)
{
    if (!text) text = *rest;
    if (!text) return NULL;
    struct set set = set_of(separators, false);
    text = first_other(text, &set);
    if (!*text) return *rest = NULL;
    set.low[0] |= 1; /* now the end too */
    char *end = first_member(text, &set);
    *rest = *end ? end + 1 : NULL;
    *end = 0;
    return text;
}

char *strtok(char *restrict text, const char *restrict separators)
{
    static char *rest;
    return strtok_r(text, separators, &rest);
}
