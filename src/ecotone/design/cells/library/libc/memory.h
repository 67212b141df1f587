/* Large blocks, which memory.c also cuts its small ones from. */
#ifndef ECO_MEMORY_H
#define ECO_MEMORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNIT = 16, GRANULE = 4096, PAGE = 65536 };
#define SIZE_MOST ((size_t) 0xfff00000)

static inline size_t round_up(size_t size, size_t unit) { return (size + unit - 1) & -unit; }

/* A run of granules, used as a whole: its first UNIT bytes belong to memory_large.c, and so does the word in front of
 * what the program gets, which tells how far back the run begins. All take and give locks of their own. */
void *eco_large_take(size_t size, size_t alignment, bool zeroed);
void eco_large_give(void *memory);
size_t eco_large_room(void *memory);
bool eco_large_resize(void *memory, size_t size); /* where it lies */

/* A page of memory at a multiple of PAGE, for ever; `kind`, above 0, is noted for it in the table. */
void *eco_page_take(int kind);

/* For each page of memory, the class of the small blocks in it, plus 1; 0 for all else. */
extern uint8_t eco_page_class[PAGE];

#endif
