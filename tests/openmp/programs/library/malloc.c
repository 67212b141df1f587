/* The C library under threads: memory that is taken, resized, given back by others, and grows. */
#include <omp.h>
#include <stdint.h>

#include "../check.h"

static int filled(const unsigned char *block, size_t size, unsigned char with)
{
    for (size_t i = 0; i < size; i++)
        if (block[i] != with) return 0;
    return 1;
}

static void of_all_sizes(void)
{
    int wrong = 0;
#pragma omp parallel for schedule(dynamic, 5)
    for (int i = 0; i < 6000; i++) {
        size_t size = mix((unsigned) i) % (i % 50 ? 700 : 60000) + 1;
        unsigned char *block = malloc(size);
        if (!block || (uintptr_t) block % 8) {
            add_to_word(&wrong, 1);
            continue;
        }
        memset(block, i & 255, size);
        if (i % 3 == 0) {
            block = realloc(block, size * 2);
            memset(block + size, i & 255, size);
            size *= 2;
        }
        if (i % 20 == 0) linger();
        if (!filled(block, size, (unsigned char) (i & 255))) add_to_word(&wrong, 1);
        free(block);
    }
    CHECK_EQUAL(wrong, 0);
}

enum { SLOTS = 64 };
static unsigned char *slots[SLOTS];

/* What one thread has taken another gives back. */
static void given_back_by_others(void)
{
    int wrong = 0;
    memset(slots, 0, sizeof slots);
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 8000; i++) {
        unsigned char *block = malloc(100 + (size_t) (i % 64));
        memset(block, 7, 100);
        unsigned char *old = __atomic_exchange_n(&slots[mix((unsigned) i) % SLOTS], block, __ATOMIC_ACQ_REL);
        if (old) {
            if (!filled(old, 100, 7)) add_to_word(&wrong, 1);
            memset(old, 9, 100);
            free(old);
        }
    }
    for (int i = 0; i < SLOTS; i++) free(slots[i]);
    CHECK_EQUAL(wrong, 0);
}

static void calloc_is_zero(void)
{
    int wrong = 0;
#pragma omp parallel for
    for (int i = 0; i < 3000; i++) {
        size_t size = mix((unsigned) i) % 3000 + 1;
        unsigned char *dirty = malloc(size);
        memset(dirty, 255, size);
        free(dirty);
        unsigned char *block = calloc(size, 1);
        if (!filled(block, size, 0)) add_to_word(&wrong, 1);
        memset(block, 255, size);
        free(block);
    }
    CHECK_EQUAL(wrong, 0);
}

/* All threads make the memory grow at the same time. */
static void growing(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        enum { BLOCKS = 20 };
        unsigned char *blocks[BLOCKS];
        unsigned char me = (unsigned char) omp_get_thread_num();
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = malloc(500000);
            if (!blocks[i]) add_to_word(&wrong, 1);
            else memset(blocks[i], me, 500000);
        }
        for (int i = 0; i < BLOCKS; i++) {
            if (blocks[i] && !filled(blocks[i], 500000, me)) add_to_word(&wrong, 1);
            free(blocks[i]);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void aligned(void)
{
    int wrong = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 1000; i++) {
        void *block = NULL;
        size_t alignment = (size_t) 16 << i % 8;
        if (posix_memalign(&block, alignment, 300) || (uintptr_t) block % alignment) add_to_word(&wrong, 1);
        memset(block, 1, 300);
        free(block);
        block = aligned_alloc(alignment, 4 * alignment);
        if (!block || (uintptr_t) block % alignment) add_to_word(&wrong, 1);
        free(block);
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(of_all_sizes);
    RUN(given_back_by_others);
    RUN(calloc_is_zero);
    RUN(growing);
    RUN(aligned);
    return finish();
}
