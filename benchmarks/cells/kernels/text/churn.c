/* Allocates and frees blocks of many sizes, as trees and lists do. */
#include "kernel.h"

#include <stdlib.h>

enum { SLOTS = 4096, TIMES = 600000 };
static unsigned char *blocks[SLOTS];
static uint32_t plan[TIMES];

void prepare(void)
{
    for (int i = 0; i < TIMES; i++) plan[i] = random_bits();
}

double work(void)
{
    double sum = 0;
    for (int i = 0; i < TIMES; i++) {
        uint32_t slot = plan[i] % SLOTS, kind = plan[i] >> 12 & 63;
        size_t size = kind < 50 ? 8 + kind * 4 : kind < 62 ? kind * 32 : 20000;
        if (blocks[slot]) {
            sum += blocks[slot][0];
            if (kind % 8 == 1) {
                blocks[slot] = realloc(blocks[slot], size);
                continue;
            }
            free(blocks[slot]);
        }
        blocks[slot] = kind % 16 == 3 ? calloc(1, size) : malloc(size);
        blocks[slot][0] = (unsigned char) kind;
    }
    for (int i = 0; i < SLOTS; i++) free(blocks[i]), blocks[i] = NULL;
    return sum;
}
