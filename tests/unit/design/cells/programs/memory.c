/* malloc and its relatives: blocks do not overlap, keep what is in them, are aligned, zero where promised; memory that is
 * given back is used again, and large blocks take no more than they need. Prints "ok" or the line of what was wrong. */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 300, ROUNDS = 60000, MIB = 1 << 20 };
static struct { unsigned char *at; size_t size; unsigned char fill; } slots[SLOTS];
static uint64_t state = 88172645463325252u;
static int wrong;
#define EXPECT(condition) ((condition) ? (void) 0 : (void) (wrong++ < 10 && printf("line %d: %s\n", __LINE__, #condition)))

static uint32_t below(uint32_t limit)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t) (state >> 33) % limit;
}

static bool all(const unsigned char *at, size_t size, unsigned char byte)
{
    for (size_t i = 0; i < size; i++)
        if (at[i] != byte) return false;
    return true;
}

static size_t some_size(void)
{
    uint32_t kind = below(100);
    return kind < 60 ? below(200) : kind < 90 ? below(5000) : kind < 97 ? below(70000) : below(2 * MIB);
}

static void exchange(int i)
{
    size_t size = some_size();
    if (slots[i].at) EXPECT(all(slots[i].at, slots[i].size, slots[i].fill));
    if (slots[i].at && below(3) == 0) {
        size_t kept = size < slots[i].size ? size : slots[i].size;
        slots[i].at = realloc(slots[i].at, size);
        EXPECT(all(slots[i].at, kept, slots[i].fill));
    } else {
        free(slots[i].at);
        uint32_t kind = below(8);
        if (kind == 0) {
            slots[i].at = calloc(size, 1);
            EXPECT(all(slots[i].at, size, 0));
        } else if (kind == 1) {
            size_t alignment = (size_t) 1 << (3 + below(14));
            slots[i].at = aligned_alloc(alignment, size);
            EXPECT((uintptr_t) slots[i].at % alignment == 0);
        } else {
            slots[i].at = malloc(size);
        }
    }
    EXPECT(slots[i].at && (uintptr_t) slots[i].at % 16 == 0 && malloc_usable_size(slots[i].at) >= size);
    slots[i].size = size;
    slots[i].fill = (unsigned char) below(256);
    memset(slots[i].at, slots[i].fill, malloc_usable_size(slots[i].at));
}

static size_t memory_mib(void) { return __builtin_wasm_memory_size(0) / 16; }

int main(void)
{
    unsigned char *fresh = calloc(100, 1000);
    EXPECT(all(fresh, 100000, 0));
    free(fresh);
    for (int i = 0; i < ROUNDS; i++) {
        exchange((int) below(SLOTS));
        if (i % 20000 == 7) EXPECT(__builtin_wasm_memory_grow(0, 3) != SIZE_MAX); /* somebody else's */
    }
    for (int i = 0; i < SLOTS; i++) free(slots[i].at);
    EXPECT(memory_mib() < 64);

    size_t before = memory_mib();
    char *large = malloc((size_t) 520 * MIB);
    EXPECT(large && memory_mib() - before <= 521);
    free(large);
    char *first = malloc((size_t) 250 * MIB), *second = malloc((size_t) 250 * MIB);
    EXPECT(first && second && memory_mib() - before <= 521);
    free(first), free(second);
    char *vast = malloc((size_t) 1300 * MIB), *also = malloc((size_t) 1300 * MIB);
    EXPECT(vast && also);
    errno = 0;
    EXPECT(!malloc((size_t) 3000 * MIB) && errno == ENOMEM);
    EXPECT(!malloc(SIZE_MAX) && !calloc(SIZE_MAX / 2, 3) && !realloc(NULL, SIZE_MAX - 20));
    free(vast), free(also);
    void *aligned = NULL;
    EXPECT(posix_memalign(&aligned, 3, 8) == EINVAL && posix_memalign(&aligned, 64, 8) == 0 && (uintptr_t) aligned % 64 == 0);
    free(aligned);
    free(NULL);
    free(malloc(0));
    if (!wrong) printf("ok\n");
    return wrong > 0;
}
