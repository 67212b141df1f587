/* What every kernel defines, and what main.c gives to it. A kernel is one file and one kind of work. No array is a
 * multiple of a page: then arrays lie so that loads wait for stores 4 KiB away, or not, by chance. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void prepare(void); /* makes the input; not timed */
double work(void);  /* what is timed; gives a checksum that depends on all that was computed */

/* The same numbers everywhere: 32 random bits, and a number in [0, 1). */
uint32_t random_bits(void);
double random_unit(void);

#ifdef __cplusplus
}
#endif
#endif
