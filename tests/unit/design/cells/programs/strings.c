/* Every string function against a loop anybody can check, over alignments, lengths and contents, in the middle of memory
 * and against its end. Prints "ok" or what was wrong. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST = 300, PAGE = 65536 };
static char *places[2]; /* room for MOST bytes ends here: somewhere, and at the very end of memory */
static uint64_t state = 88172645463325252u;
static int wrong;

static unsigned below(unsigned limit)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (unsigned) (state >> 33) % limit;
}

static void expect(const char *name, long got, long wanted, size_t length)
{
    if (got == wanted || wrong++ > 20) return;
    printf("%s: %ld instead of %ld, length %zu\n", name, got, wanted, length);
}

static int sign(int value) { return (value > 0) - (value < 0); }
#define OFFSET(pointer, base) ((pointer) ? (long) ((const char *) (pointer) - (base)) : -1)

/* ---- the loops ---- */
static long first_of(const char *text, long size, int byte)
{
    for (long i = 0; i < size; i++)
        if ((unsigned char) text[i] == (unsigned char) byte) return i;
    return -1;
}
static long last_of(const char *text, long size, int byte)
{
    for (long i = size - 1; i >= 0; i--)
        if ((unsigned char) text[i] == (unsigned char) byte) return i;
    return -1;
}
static int order(const char *a, const char *b, size_t size, int to_end)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i]) return (unsigned char) a[i] < (unsigned char) b[i] ? -1 : 1;
        if (to_end && !a[i]) return 0;
    }
    return 0;
}
static long span(const char *text, const char *set, int inside)
{
    long i = 0;
    for (; text[i] && (first_of(set, (long) strlen(set), text[i]) >= 0) == inside;) i++;
    return i;
}
static long place_of(const char *text, long size, const char *wanted, long length)
{
    for (long i = 0; i + length <= size; i++)
        if (!order(text + i, wanted, (size_t) length, 0)) return i;
    return -1;
}

/* A string of `length` bytes that ends at `end`, of few or many letters. */
static char *string_before(char *end, size_t length, unsigned letters)
{
    char *text = end - length - 1;
    for (size_t i = 0; i < length; i++) text[i] = (char) (letters > 200 ? 1 + below(255) : 'a' + below(letters));
    text[length] = 0;
    return text;
}

static void check_finding(char *text, size_t length)
{
    long size = (long) length;
    int bytes[] = {'a', 'b', 200, 0, text[0], length ? text[length - 1] : 'q', 0x161};
    expect("strlen", (long) strlen(text), size, length);
    for (size_t most = 0; most < length + 20; most += 1 + below(30)) {
        expect("strnlen", (long) strnlen(text, most), most < length ? (long) most : size, length);
        long limit = most < length ? (long) most : size + 1;
        expect("memchr", OFFSET(memchr(text, bytes[most % 6], (size_t) limit), text), first_of(text, limit, bytes[most % 6]),
               length);
    }
    expect("strnlen", (long) strnlen(text, SIZE_MAX), size, length);
    for (int i = 0; i < 7; i++) {
        long first = first_of(text, size + 1, bytes[i]), last = last_of(text, size + 1, bytes[i]);
        expect("strchr", OFFSET(strchr(text, bytes[i]), text), first, length);
        expect("strchrnul", OFFSET(strchrnul(text, bytes[i]), text), first < 0 ? size : first, length);
        expect("strrchr", OFFSET(strrchr(text, bytes[i]), text), last, length);
        expect("memrchr", OFFSET(memrchr(text, bytes[i], length), text), last_of(text, size, bytes[i]), length);
    }
}

static void check_comparing(char *a, char *b, size_t length)
{
    a[length] = 0;
    size_t same = below((unsigned) length + 2);
    memmove(b, a, length + 1);
    if (same < length) b[same] = (char) below(256);
    for (int i = 0; i < 4; i++) {
        size_t size = i == 0 ? length : below((unsigned) length + 1);
        expect("memcmp", sign(memcmp(a, b, size)), order(a, b, size, 0), size);
        expect("bcmp", !bcmp(a, b, size), !order(a, b, size, 0), size);
        expect("strncmp", sign(strncmp(a, b, size + (i == 1) * 30)), order(a, b, size + (i == 1) * 30, 1), size);
    }
    expect("strcmp", sign(strcmp(a, b)), order(a, b, length + 1, 1), length);
    expect("strcmp", sign(strcmp(b, a)), order(b, a, length + 1, 1), length);
}

static void check_copying(const char *from, char *to, size_t length)
{
    memset(to - 1, '#', length + 3);
    expect("stpcpy", OFFSET(stpcpy(to, from), to), (long) length, length);
    expect("stpcpy copies", order(to, from, length + 1, 0), 0, length);
    expect("stpcpy keeps", to[-1] == '#' && to[length + 1] == '#', 1, length);
    size_t size = below((unsigned) length + 1);
    memset(to - 1, '#', length + 3);
    expect("strncpy", OFFSET(strncpy(to, from, size), to), 0, length);
    expect("strncpy copies", order(to, from, size, 0), 0, size);
    expect("strncpy keeps", to[-1] == '#' && to[size] == '#', 1, size);
    expect("stpncpy", OFFSET(stpncpy(to, from, length + 1), to), (long) length, length);
    expect("strlcpy", (long) strlcpy(to, from, size), (long) length, length);
    if (size) expect("strlcpy ends", (long) strlen(to), (long) size - 1, length);
    to[size / 2] = 0;
    strncat(to, from, length - size);
    expect("strncat", (long) strlen(to), (long) (size / 2 + length - size), length);
    char *twice = strdup(from);
    expect("strdup", order(twice, from, length + 1, 0), 0, length);
    free(twice);
}

static void check_sets(char *text, size_t length)
{
    static const char *const sets[] = {"", "a", "ab", "abcdefgh", "xyz", "bdfhjlnprtvxz0123456789", "\xc8\xff\x80z", " \t\n"};
    for (int i = 0; i < 8; i++) {
        expect("strspn", (long) strspn(text, sets[i]), span(text, sets[i], 1), length);
        long outside = span(text, sets[i], 0);
        expect("strcspn", (long) strcspn(text, sets[i]), outside, length);
        expect("strpbrk", OFFSET(strpbrk(text, sets[i]), text), text[outside] ? outside : -1, length);
    }
}

static void check_searching(char *text, size_t length)
{
    for (size_t size = 0; size < 40 && size <= length; size += 1 + below(4)) {
        char wanted[MOST];
        memcpy(wanted, text + below((unsigned) (length - size + 1)), size);
        if (size && below(3) == 0) wanted[below((unsigned) size)] = 'b';
        wanted[size] = 0;
        long place = place_of(text, (long) length, wanted, (long) size);
        expect("strstr", OFFSET(strstr(text, wanted), text), place, length);
        expect("memmem", OFFSET(memmem(text, length, wanted, size), text), place, length);
    }
}

static void check_tokens(void)
{
    char text[] = "  one,two ,, three,", *rest = NULL, *at = text, joined[40] = "";
    for (char *word = strtok_r(text, " ,", &rest); word; word = strtok_r(NULL, " ,", &rest)) strcat(joined, word);
    expect("strtok_r", strcmp(joined, "onetwothree"), 0, 0);
    expect("strtok_r behind the end", strtok_r(NULL, " ,", &rest) == NULL, 1, 0);
    char again[] = "a::b";
    at = again;
    expect("strsep", *strsep(&at, ":"), 'a', 0);
    expect("strsep", *strsep(&at, ":"), 0, 0);
    expect("strsep", *strsep(&at, ":"), 'b', 0);
    expect("strsep", strsep(&at, ":") == NULL, 1, 0);
}

/* Regular texts, on which a search that only tries candidates takes the product of both lengths. */
static void check_regular(void)
{
    enum { N = 200000, M = 50000 };
    char *text = malloc(N + 1), *wanted = malloc(M + 1);
    memset(text, 'a', N), memset(wanted, 'a', M);
    text[N] = wanted[M] = 0;
    wanted[M / 2] = 'b';
    expect("strstr, regular", strstr(text, wanted) == NULL, 1, N);
    text[N - M / 2] = 'b';
    expect("strstr, regular", OFFSET(strstr(text, wanted), text), N - M, N);
    free(text), free(wanted);
}

int main(void)
{
    places[0] = (char *) malloc(3 * MOST) + 2 * MOST;
    if (__builtin_wasm_memory_grow(0, 2) == SIZE_MAX) return 1;
    places[1] = (char *) (__builtin_wasm_memory_size(0) * PAGE);
    static char other[2 * MOST];
    for (int round = 0; round < 3; round++)
        for (size_t length = 0; length < MOST - 40; length += length < 70 ? 1 : 1 + below(9))
            for (int i = 0; i < 2 + 17; i += length < 40 ? 1 : 1 + (int) below(9)) {
                char *end = i == 1 ? places[1] : places[0] + i;
                char *text = string_before(end, length, round == 0 ? 3 : round == 1 ? 26 : 255);
                check_finding(text, length);
                check_sets(text, length);
                check_searching(text, length);
                check_copying(text, other + 1 + below(32), length);
                check_comparing(text, other + below(32), length);
                check_comparing(other + below(32), end - length - 1, length);
            }
    check_tokens();
    check_regular();
    if (!wrong) printf("ok\n");
    return wrong > 0;
}
