/* malloc and its relatives, for one thread or several. The compiler's own rounds every size up to a power of two, so that
 * a cell of 4 GiB cannot hold two arrays of 1.3, and is for one. Here small blocks have no header: each page of 64 KiB
 * holds blocks of one size, which a table of pages tells. A thread keeps two lists of free blocks for each size and
 * passes whole lists on, to a shared store where other threads find them: a thread that only allocates what another one
 * frees therefore uses the same memory again. Large blocks, and pages, come from memory_large.c. */
#include "lock.h"
#include "memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_MOST = 16384, FINE_MOST = 128, CLASSES = 36, LIST_BYTES = 8192, LIST_MOST = 128, LIST_LEAST = 2 };

/* `next_list` and `count` are of a block that begins a list in the store. */
struct block { struct block *next, *next_list; int count; };

struct store {
    int lock;
    struct block *lists;
    char *fresh, *fresh_end; /* of a page from which nothing has been given yet */
} __attribute__((aligned(64)));

/* `current` has room for so many more blocks; `spare` is a full list, or NULL. */
struct cache { struct block *current, *spare; int room; };

static struct store stores[CLASSES];
static _Thread_local struct cache caches[CLASSES];

/* Sixteen bytes apart up to FINE_MOST, then four to each doubling. */
static inline int class_of(size_t size)
{
    if (size <= FINE_MOST) return size ? (int) (size - 1) / UNIT : 0;
    int doubling = 31 - __builtin_clz((unsigned) size - 1);
    return (int) ((size - 1) >> (doubling - 2)) + (doubling - 7) * 4 + 4;
}

static inline size_t class_size(int class)
{
    if (class < FINE_MOST / UNIT) return (size_t) (class + 1) * UNIT;
    return (size_t) (5 + (class - 8) % 4) << ((class - 8) / 4 + 5);
}

static int list_length(int class)
{
    int length = (int) (LIST_BYTES / class_size(class));
    return length > LIST_MOST ? LIST_MOST : length < LIST_LEAST ? LIST_LEAST : length;
}

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/* A list from a page of its own; the store is locked. */
static struct block *cut_list(struct store *store, int class)
{
    size_t size = class_size(class);
    if ((size_t) (store->fresh_end - store->fresh) < size) {
        char *page = eco_page_take(class + 1);
        if (!page) return NULL;
        store->fresh = page;
        store->fresh_end = page + PAGE;
    }
    struct block *first = (struct block *) store->fresh, *last = first;
    int count = 1, most = list_length(class);
    for (store->fresh += size; count < most && (size_t) (store->fresh_end - store->fresh) >= size; count++) {
        last->next = (struct block *) store->fresh;
        last = last->next;
        store->fresh += size;
    }
    last->next = NULL;
    first->count = count;
    return first;
}

__attribute__((noinline)) static void *take_from_store(int class)
{
    struct cache *cache = &caches[class];
    struct block *list = cache->spare;
    int length = list_length(class), count = length;
    if (list) {
        cache->spare = NULL;
    } else {
        struct store *store = &stores[class];
        lock_take(&store->lock);
        list = store->lists;
        if (list)
            store->lists = list->next_list;
        else
            list = cut_list(store, class);
        lock_give(&store->lock);
        if (!list) return out_of_memory();
        count = list->count;
    }
    cache->current = list->next;
    cache->room = length - (count - 1);
    return list;
}

static void give_to_store(int class, struct block *list, int count)
{
    struct store *store = &stores[class];
    list->count = count;
    lock_take(&store->lock);
    list->next_list = store->lists;
    store->lists = list;
    lock_give(&store->lock);
}

/* The current list is full, or this is the first block of its size that the thread frees. */
__attribute__((noinline)) static void put_aside(int class, struct cache *cache)
{
    struct block *full = cache->current, *spare = cache->spare;
    cache->room = list_length(class);
    cache->current = NULL;
    if (!full) return;
    cache->spare = full;
    if (spare) give_to_store(class, spare, cache->room);
}

static inline void *take_small(int class)
{
    struct cache *cache = &caches[class];
    struct block *block = cache->current;
    if (!block) return take_from_store(class);
    cache->current = block->next;
    cache->room++;
    return block;
}

static inline void give_small(void *memory, int class)
{
    struct cache *cache = &caches[class];
    if (!cache->room) put_aside(class, cache);
    struct block *block = memory;
    block->next = cache->current;
    cache->current = block;
    cache->room--;
}

/* What a thread that ends has kept goes to the store. */
void eco_memory_thread_ends(void)
{
    for (int class = 0; class < CLASSES; class++) {
        struct cache *cache = &caches[class];
        int length = list_length(class);
        if (cache->spare) give_to_store(class, cache->spare, length);
        if (cache->current) give_to_store(class, cache->current, length - cache->room);
        *cache = (struct cache) {0};
    }
}

static inline int class_at(void *memory) { return eco_page_class[(uintptr_t) memory / PAGE] - 1; }

static size_t usable(void *memory)
{
    int class = class_at(memory);
    return class < 0 ? eco_large_room(memory) : class_size(class);
}

static void *take_large(size_t size, size_t alignment, bool zeroed)
{
    void *memory = size <= SIZE_MOST ? eco_large_take(size, alignment, zeroed) : NULL;
    return memory ? memory : out_of_memory();
}

void *malloc(size_t size)
{
    return size <= SMALL_MOST ? take_small(class_of(size)) : take_large(size, UNIT, false);
}

void free(void *memory)
{
    if (!memory) return;
    int class = class_at(memory);
    if (class < 0)
        eco_large_give(memory);
    else
        give_small(memory, class);
}

void *calloc(size_t count, size_t size)
{
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) return out_of_memory();
    if (whole > SMALL_MOST) return take_large(whole, UNIT, true);
    void *memory = take_small(class_of(whole));
    return memory ? memset(memory, 0, whole) : NULL;
}

void *realloc(void *memory, size_t size)
{
    if (!memory) return malloc(size);
    int class = class_at(memory);
    size_t room = class < 0 ? eco_large_room(memory) : class_size(class);
    if (size <= room && size >= room / 2) return memory;
    if (class < 0 && size > SMALL_MOST && size <= SIZE_MOST && eco_large_resize(memory, size)) return memory;
    void *moved = malloc(size);
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
    if (alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    if (size <= SMALL_MOST && alignment <= SMALL_MOST) /* blocks of a size lie at multiples of its powers of two */
        for (int class = class_of(size); class < CLASSES; class++)
            if (class_size(class) % (alignment ? alignment : 1) == 0) return take_small(class);
    return take_large(size, alignment < UNIT ? UNIT : alignment, false);
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
