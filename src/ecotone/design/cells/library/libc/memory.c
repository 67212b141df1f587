/* malloc and its relatives. The compiler's own rounds every size up to a power of two, so that a cell of 4 GiB cannot
 * hold two arrays of 1.3: here small blocks come from lists by size, four to each doubling, and large ones from runs of
 * granules, which are split and joined. Whoever else grows memory may do so: runs need not be neighbours. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT = 16, GRANULE = 4096, PAGE = 65536, SMALL_MOST = 32768, CLASSES = 41, CHUNK = 4 * PAGE };
#define SIZE_MOST ((size_t) 0xfff00000)

/* In front of what the program gets; `start` is how far back the block begins. */
struct header { size_t start, size; }; /* of the whole block; small ones are known by it */

struct free_block { struct free_block *next; };
struct run { struct run *next; size_t size; };

extern char __heap_base;
static struct free_block *lists[CLASSES];
static char *chunk, *chunk_end;
static struct run *runs;  /* by address */
static char *never_given; /* from here on memory is as the host gave it: zero, but for the runs' own words */

static size_t round_up(size_t size, size_t unit) { return (size + unit - 1) & -unit; }

/* ---- runs of granules ---- */

static void join(struct run *run)
{
    struct run *next = run->next;
    if (!next || (char *) run + run->size != (char *) next) return;
    run->size += next->size;
    run->next = next->next;
    *next = (struct run) {0};
}

static void give_run(void *at, size_t size)
{
    struct run *before = NULL, *behind = runs, *run = at;
    while (behind && behind < run) before = behind, behind = behind->next;
    *run = (struct run) {behind, size};
    if (before)
        before->next = run;
    else
        runs = run;
    join(run);
    if (before) join(before);
}

/* More memory, as a run that joins a free one at the end of memory. */
static bool grow(size_t size)
{
    static bool begun;
    if (!begun) {
        begun = true;
        char *first = (char *) round_up((uintptr_t) &__heap_base, GRANULE);
        char *end = (char *) (__builtin_wasm_memory_size(0) * PAGE);
        never_given = first;
        if (end > first) {
            give_run(first, (size_t) (end - first));
            return true;
        }
    }
    uintptr_t end = __builtin_wasm_memory_size(0) * (uintptr_t) PAGE;
    for (struct run *run = runs; run; run = run->next)
        if ((uintptr_t) run + run->size == end && run->size < size) size -= run->size;
    size_t pages = round_up(size, PAGE) / PAGE, before = __builtin_wasm_memory_grow(0, pages);
    if (before == SIZE_MAX) return false;
    if (before + pages == 65536) pages--; /* the end of a run must be an address */
    if (pages) give_run((void *) (before * PAGE), pages * PAGE);
    return pages > 0;
}

/* The first run that is large enough, or the beginning of it; `size` is of granules. */
static void *take_run(size_t size)
{
    for (;;) {
        for (struct run **link = &runs; *link; link = &(*link)->next) {
            struct run *run = *link, *next = run->next;
            if (run->size < size) continue;
            if (run->size > size) {
                next = (struct run *) ((char *) run + size);
                *next = (struct run) {run->next, run->size - size};
            }
            *link = next;
            *run = (struct run) {0};
            return run;
        }
        if (!grow(size)) return NULL;
    }
}

/* ---- blocks ---- */

/* The class of a whole block, and its size rounded up to that of the class. */
static int class_of(size_t *size)
{
    if (*size <= 64) {
        *size = *size <= 32 ? 32 : round_up(*size, UNIT);
        return (int) (*size / UNIT) - 2;
    }
    int doubling = 31 - __builtin_clz((unsigned) *size - 1);
    size_t step = (size_t) 1 << (doubling - 2);
    *size = round_up(*size, step);
    return 3 + (doubling - 6) * 4 + (int) ((*size >> (doubling - 2)) - 5);
}

static void *take_small(int list, size_t size)
{
    struct free_block *block = lists[list];
    if (block) {
        lists[list] = block->next;
        return block;
    }
    if ((size_t) (chunk_end - chunk) < size) {
        char *more = take_run(CHUNK);
        if (!more) return NULL;
        if (more != chunk_end) chunk = more;
        chunk_end = more + CHUNK;
    }
    char *taken = chunk;
    chunk += size;
    return taken;
}

static struct header *header_of(void *memory) { return (struct header *) memory - 1; }

static void *finish(char *block, size_t size, size_t start)
{
    char *memory = block + start;
    if (block + size > never_given) never_given = block + size;
    *header_of(memory) = (struct header) {start, size};
    return memory;
}

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *allocate(size_t wanted)
{
    if (wanted > SIZE_MOST) return out_of_memory();
    size_t size = wanted + UNIT;
    char *block;
    if (size <= SMALL_MOST) {
        int list = class_of(&size);
        block = take_small(list, size);
    } else {
        size = round_up(size, GRANULE);
        block = take_run(size);
    }
    return block ? finish(block, size, UNIT) : out_of_memory();
}

static size_t usable(void *memory) { return header_of(memory)->size - header_of(memory)->start; }

void *malloc(size_t size) { return allocate(size); }

void free(void *memory)
{
    if (!memory) return;
    struct header header = *header_of(memory);
    char *block = (char *) memory - header.start;
    if (header.size > SMALL_MOST) {
        give_run(block, header.size);
        return;
    }
    int list = class_of(&header.size);
    struct free_block *freed = (struct free_block *) block;
    freed->next = lists[list];
    lists[list] = freed;
}

void *calloc(size_t count, size_t size)
{
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) return out_of_memory();
    if (!never_given) grow(0);
    char *zero_from = never_given, *memory = allocate(whole);
    if (!memory) return NULL;
    size_t used = memory >= zero_from ? 0 : (size_t) (zero_from - memory);
    memset(memory, 0, used < whole ? used : whole);
    return memory;
}

void *realloc(void *memory, size_t size)
{
    if (!memory) return allocate(size);
    if (size > SIZE_MOST) return out_of_memory();
    size_t room = usable(memory);
    if (size <= room && size >= room / 2) return memory;
    char *moved = allocate(size);
    if (!moved) return NULL;
    memcpy(moved, memory, size < room ? size : room);
    free(memory);
    return moved;
}

void *reallocarray(void *memory, size_t count, size_t size)
{
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) return out_of_memory();
    return realloc(memory, whole);
}

void *memalign(size_t alignment, size_t size)
{
    if (alignment <= UNIT) return allocate(size);
    if (alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    if (size > SIZE_MOST || alignment > SIZE_MOST - size) return out_of_memory();
    char *memory = allocate(size + alignment);
    if (!memory) return NULL;
    struct header header = *header_of(memory);
    char *aligned = (char *) round_up((uintptr_t) memory, alignment);
    *header_of(aligned) = (struct header) {header.start + (size_t) (aligned - memory), header.size};
    return aligned;
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
void *valloc(size_t size) { return memalign(PAGE, size); }

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (alignment < sizeof(void *) || alignment & (alignment - 1)) return EINVAL;
    int before = errno;
    void *aligned = memalign(alignment, size);
    errno = before;
    if (!aligned) return ENOMEM;
    *memory = aligned;
    return 0;
}

size_t malloc_usable_size(void *memory) { return memory ? usable(memory) : 0; }
