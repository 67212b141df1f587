/* Between a program that wasm2c has translated, and the Python process that runs it: see `_native.py` in
 * execution/cells, which knows the structures below by heart. Whoever changes one raises RUNTIME_VERSION, and the number
 * in `_native_cache.py`. */
#ifndef ECOTONE_NATIVE_RUNTIME_H
#define ECOTONE_NATIVE_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm-rt.h"

#define RUNTIME_VERSION 2
#define SEEN_FROM_OUTSIDE __attribute__((visibility("default")))

/* A parameter or a result. */
union value {
    uint32_t i32;
    uint64_t i64;
    float f32;
    double f64;
};

/* A function of the host; it gets its arguments and leaves its result in their place. Not 0: the program has trapped. */
typedef int host_function(union value *values);

/* Types are letters: i for i32, I for i64, f for f32, F for f64. */
struct imported { const char *module, *name, *parameters, *results; };
struct exported { const char *name, *parameters, *results; void (*call)(void *cell, union value *values); };
struct variable { const char *name; char kind; void *(*place)(void *cell); };

struct instance;

/* What the glue, which is made for each module, says of it. */
extern const struct imported cell_imports[];
extern const struct exported cell_exports[];
extern const struct variable cell_variables[];
extern const size_t cell_bytes; /* of an instance of the program, behind struct instance */
extern const bool cell_imports_memory;
extern const uint64_t cell_memory_pages[2]; /* least and most, if it imports its memory; both may be 0 */
void cell_instantiate(struct instance *instance);

/* A program that has been loaded. Its instances, one for each thread, have one memory: that of the first instance, or, if
 * the program imports it, `shared`. */
struct program {
    host_function *const *host; /* in the order of the imports */
    wasm_rt_memory_t *memory;
    wasm_rt_memory_t shared;
    uint64_t own_most;   /* pages that it says its memory may have */
    uint64_t most_pages; /* that its host allows */
    uint64_t table_places; /* of all instances */
};

/* One thread's instance; the cell, as wasm2c has declared it, lies behind it. */
struct instance {
    _Alignas(16) struct program *program;
};

/* Why a call did not return. */
enum end {
    ENDED_WELL,
    END_BOUNDS,
    END_OVERFLOW,
    END_DIVISION,
    END_CONVERSION,
    END_UNREACHABLE,
    END_INDIRECT,
    END_NULL,
    END_EXCEPTION,
    END_UNALIGNED,
    END_STACK,
    END_TABLE_BOUNDS,
    END_TABLE_EMPTY,
    END_TABLE_TYPE,
    END_HOST,
    END_WAIT,
    END_MEMORY_LIMIT,
    END_TABLE_LIMIT,
    END_NO_MEMORY,
};

#define INNER_FRAMES 24
#define OUTER_FRAMES 8

/* How a call has ended, and where; return addresses, the innermost first. */
struct report {
    uint64_t inner[INNER_FRAMES];
    uint64_t outer[OUTER_FRAMES]; /* the outermost, as a ring: frame n is at n % OUTER_FRAMES */
    uint64_t frames;              /* how many there are, of which only these are here */
    uint64_t fault;               /* of END_BOUNDS: the address in the cell's memory, UINT64_MAX if it is not known */
};

/* For the glue: calls function `index` of the host on behalf of a cell. */
void call_host(struct instance *instance, size_t index, union value *values);
_Noreturn void end_call(enum end why);

/* Instructions that wasm2c does not have; `_module.py` makes calls of them. */
uint32_t wait_32(wasm_rt_memory_t *memory, uint32_t address, uint32_t seen, uint64_t timeout_ns, uint64_t offset);
uint32_t notify(wasm_rt_memory_t *memory, uint32_t address, uint32_t count, uint64_t offset);

#endif
