/* Large blocks: runs of granules, joined with their free neighbours when they are given back. One lock serves all;
 * free runs hang in lists by size, and a word for each list tells whether it has any. */
#include "lock.h"
#include "memory.h"
#include <string.h>

/* At the start of each run. A free one also has its size in its last word, where the run behind it finds it. */
struct run {
    size_t size; /* a multiple of GRANULE, and the flags below */
    struct run *next, *previous;
    size_t back; /* of one that is used, in front of what the program has: how far back the run begins */
};
enum { FREE = 1, FREE_BEFORE = 2, FLAGS = FREE | FREE_BEFORE };

enum { LISTS = 80, LOOKED_AT = 8, STEP_LEAST = 4 * PAGE, STEP_MOST = 256 * PAGE, PAGES_MOST = 65536 };

uint8_t eco_page_class[PAGE];
extern char __heap_base, __heap_end; /* of the memory that a cell has at first; others may have made it larger since */
static int lock;
static struct run *lists[LISTS];
static uint32_t filled[(LISTS + 31) / 32];
static struct run *fence;   /* behind the newest memory: a run of one granule that is never free */
static char *never_given;   /* from here on memory is as the host gave it: zero, but for the words of free runs */

static size_t size_of(const struct run *run) { return run->size & ~(size_t) FLAGS; }
static struct run *behind(struct run *run) { return (struct run *) ((char *) run + size_of(run)); }
static size_t *last_word(struct run *run) { return (size_t *) behind(run) - 1; }
static bool is_page(const void *at) { return eco_page_class[(uintptr_t) at / PAGE] != 0; }

/* ---- lists of free runs: one for each number of granules up to eight, then four to each doubling ---- */

static int list_of(size_t size)
{
    unsigned granules = (unsigned) (size / GRANULE);
    if (granules <= 8) return (int) granules - 1;
    int doubling = 31 - __builtin_clz(granules);
    return 8 + (doubling - 3) * 4 + (int) (granules >> (doubling - 2)) - 4;
}

static void hang(struct run *run)
{
    int list = list_of(size_of(run));
    run->next = lists[list];
    run->previous = NULL;
    if (run->next) run->next->previous = run;
    lists[list] = run;
    filled[list / 32] |= 1u << list % 32;
}

static void unhang(struct run *run)
{
    int list = list_of(size_of(run));
    if (run->next) run->next->previous = run->previous;
    if (run->previous)
        run->previous->next = run->next;
    else if (!(lists[list] = run->next))
        filled[list / 32] &= ~(1u << list % 32);
}

static int filled_from(int list)
{
    for (int word = list / 32; word < (LISTS + 31) / 32; word++) {
        uint32_t bits = filled[word];
        if (word == list / 32) bits &= ~0u << list % 32;
        if (bits) return word * 32 + __builtin_ctz(bits);
    }
    return LISTS;
}

/* ---- runs ---- */

/* Words of ours inside free memory must not be seen by calloc. */
static void wipe(struct run *run) { *run = (struct run) {0}; }

static void put(struct run *run, size_t size)
{
    run->size = size | FREE; /* what lies before it is never free: it would have been joined */
    *last_word(run) = size;
    if (!is_page(behind(run))) behind(run)->size |= FREE_BEFORE;
    hang(run);
}

/* Gives the memory back, `size` of it, whose first word says whether a free run lies before. */
static void give(struct run *run, size_t size)
{
    struct run *next = (struct run *) ((char *) run + size);
    if (run->size & FREE_BEFORE) {
        size_t before = ((size_t *) run)[-1];
        ((size_t *) run)[-1] = 0;
        wipe(run);
        run = (struct run *) ((char *) run - before);
        unhang(run);
        size += before;
    }
    if (!is_page(next) && next->size & FREE) {
        unhang(next);
        size += size_of(next);
        wipe(next);
    }
    put(run, size);
}

/* Takes a free run out of its list, and gives back what is in front of `start` and behind `size`. */
static struct run *cut(struct run *run, char *start, size_t size)
{
    unhang(run);
    size_t whole = size_of(run), front = (size_t) (start - (char *) run), rest = whole - front - size;
    if (!is_page(behind(run))) behind(run)->size &= ~(size_t) FREE_BEFORE;
    *last_word(run) = 0;
    wipe(run);
    struct run *taken = (struct run *) start;
    taken->size = size;
    if (rest) put((struct run *) (start + size), rest);
    if (front) put(run, front);
    return taken;
}

static char *start_in(struct run *run, size_t size, size_t alignment)
{
    char *start = (char *) round_up((uintptr_t) run, alignment);
    return (size_t) (start - (char *) run) + size <= size_of(run) ? start : NULL;
}

/* A free run that holds `size` bytes from a multiple of the alignment. */
static struct run *find(size_t size, size_t alignment)
{
    int own = list_of(size), looked = 0;
    for (struct run *run = lists[own]; run && looked < LOOKED_AT; run = run->next, looked++)
        if (start_in(run, size, alignment)) return run;
    for (int list = filled_from(own + 1); list < LISTS; list = filled_from(list + 1))
        for (struct run *run = lists[list]; run; run = run->next)
            if (start_in(run, size, alignment)) return run;
    for (struct run *run = lists[own]; run; run = run->next) /* before memory grows, all of them */
        if (start_in(run, size, alignment)) return run;
    return NULL;
}

/* ---- growth ---- */

/* New memory, whose last granule becomes the fence; that of what it continues is free again. */
static void add(char *start, char *fence_at)
{
    struct run *run = (struct run *) start, *old = fence;
    fence = (struct run *) fence_at;
    fence->size = GRANULE;
    if (old && (char *) old + GRANULE == start)
        run = old;
    else
        run->size = 0;
    if ((char *) run < fence_at) give(run, (size_t) (fence_at - (char *) run));
}

static bool grow_pages(size_t pages)
{
    size_t before = __builtin_wasm_memory_grow(0, pages);
    if (before == SIZE_MAX) return false;
    if (before + pages == PAGES_MOST) pages--; /* the end must be an address */
    char *start = (char *) (before * PAGE);
    if (pages) add(start, start + pages * PAGE - GRANULE);
    return pages > 0;
}

/* Memory for `size` more bytes, and some of it in advance if there may be so much. */
static bool grow(size_t size)
{
    if (!fence) {
        char *first = (char *) round_up((uintptr_t) &__heap_base, GRANULE);
        never_given = first;
        if (&__heap_end - first > GRANULE) {
            add(first, &__heap_end - GRANULE);
            return true;
        }
    }
    size_t memory = __builtin_wasm_memory_size(0) * (size_t) PAGE;
    size_t step = memory / 16 < STEP_LEAST ? STEP_LEAST : memory / 16 > STEP_MOST ? STEP_MOST : memory / 16;
    size_t most = round_up(size + GRANULE, PAGE) / PAGE;
    if (size < step && grow_pages(step / PAGE)) return true;
    size_t there = fence && fence->size & FREE_BEFORE ? ((size_t *) fence)[-1] : 0;
    size_t least = there < size ? round_up(size - there, PAGE) / PAGE : 1;
    return grow_pages(least) || (most > least && grow_pages(most));
}

static struct run *take(size_t size, size_t alignment)
{
    for (;;) {
        struct run *run = find(size, alignment);
        if (run) return cut(run, start_in(run, size, alignment), size);
        if (!grow(alignment > GRANULE ? size + alignment : size)) return NULL;
    }
}

/* ---- what memory.c uses ---- */

/* Of what lies from `start`, only what was given before may not be zero. */
static size_t note_given(char *start, char *end)
{
    char *fresh = never_given;
    if (end > fresh) never_given = end;
    return start >= fresh ? 0 : (size_t) ((end < fresh ? end : fresh) - start);
}

static struct run *run_of(void *memory)
{
    return (struct run *) ((char *) memory - ((size_t *) memory)[-1]);
}

void *eco_large_take(size_t size, size_t alignment, bool zeroed)
{
    size_t front = alignment > UNIT ? alignment : UNIT;
    if (!size) size = 1; /* else the address could be that of what lies behind */
    if (front > SIZE_MOST || size > SIZE_MOST - front) return NULL;
    size_t whole = round_up(size + front, GRANULE);
    lock_take(&lock);
    struct run *run = take(whole, GRANULE);
    size_t used = run ? note_given((char *) run, (char *) run + whole) : 0;
    lock_give(&lock);
    if (!run) return NULL;
    char *memory = (char *) round_up((uintptr_t) run + UNIT, alignment);
    size_t start = (size_t) (memory - (char *) run);
    ((size_t *) memory)[-1] = start;
    if (zeroed && used > start) memset(memory, 0, used - start < size ? used - start : size);
    return memory;
}

void eco_large_give(void *memory)
{
    struct run *run = run_of(memory);
    lock_take(&lock);
    give(run, size_of(run));
    lock_give(&lock);
}

size_t eco_large_room(void *memory)
{
    struct run *run = run_of(memory);
    return size_of(run) - ((size_t *) memory)[-1];
}

bool eco_large_resize(void *memory, size_t size)
{
    struct run *run = run_of(memory);
    size_t whole = round_up(size + ((size_t *) memory)[-1], GRANULE);
    lock_take(&lock);
    size_t had = size_of(run);
    struct run *next = behind(run);
    size_t more = is_page(next) || !(next->size & FREE) ? 0 : size_of(next);
    bool fits = whole <= had + more;
    if (fits && whole > had) {
        cut(next, (char *) next, whole - had);
        wipe(next);
        note_given((char *) run, (char *) run + whole);
    }
    if (fits) run->size = whole | (run->size & FLAGS);
    if (whole < had) {
        struct run *rest = behind(run);
        rest->size = 0;
        give(rest, had - whole);
    }
    lock_give(&lock);
    return fits;
}

void *eco_page_take(int kind)
{
    lock_take(&lock);
    struct run *run = take(PAGE, PAGE);
    if (run) {
        note_given((char *) run, (char *) run + PAGE);
        eco_page_class[(uintptr_t) run / PAGE] = (uint8_t) kind;
    }
    lock_give(&lock);
    return run;
}
