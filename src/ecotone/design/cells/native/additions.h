/* Put behind what wasm2c declares for a module: what it does otherwise than we need. Python has written, in front of
 * this, the macros by which the atomic instructions are ours; see `_glue.py`. */
#include "runtime.h"

/* Of an address that is known to be within reach; see `reserve` in runtime.c. Ranks of a job share memory that no module
 * declares as shared, so atomic instructions are atomic whatever the memory is. */
#define ATOMIC_CHECK(type)                                             \
    if (UNLIKELY(address % sizeof(type))) wasm_rt_trap(WASM_RT_TRAP_UNALIGNED); \
    type *at = (type *) (base + address);                              \
    (void) memory, (void) size

#define ATOMIC_LOAD(name, type, wide)                                                                    \
    static inline wide name(u8 *base, u64 size, wasm_rt_memory_t *memory, u64 address)                   \
    {                                                                                                    \
        ATOMIC_CHECK(type);                                                                              \
        return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                    \
    }

#define ATOMIC_STORE(name, type, wide)                                                                   \
    static inline void name(u8 *base, u64 size, wasm_rt_memory_t *memory, u64 address, wide value)       \
    {                                                                                                    \
        ATOMIC_CHECK(type);                                                                              \
        __atomic_store_n(at, (type) value, __ATOMIC_SEQ_CST);                                            \
    }

#define ATOMIC_CHANGE(name, type, wide, operation)                                                       \
    static inline wide name(u8 *base, u64 size, wasm_rt_memory_t *memory, u64 address, wide value)       \
    {                                                                                                    \
        ATOMIC_CHECK(type);                                                                              \
        return operation(at, (type) value, __ATOMIC_SEQ_CST);                                            \
    }

#define ATOMIC_COMPARE(name, type, wide)                                                                 \
    static inline wide name(u8 *base, u64 size, wasm_rt_memory_t *memory, u64 address, wide expected,    \
                            wide replacement)                                                            \
    {                                                                                                    \
        ATOMIC_CHECK(type);                                                                              \
        type seen = (type) expected;                                                                     \
        __atomic_compare_exchange_n(at, &seen, (type) replacement, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return seen;                                                                                     \
    }

/* Why a call through a pointer cannot be made, which wasm2c tells as one reason. */
W2C_COLD_FUNC static bool check_indirect(const wasm_rt_funcref_table_t *table, wasm_rt_func_type_t type, u32 index)
{
    if (index >= table->size) end_call(END_TABLE_BOUNDS);
    const wasm_rt_funcref_t *entry = &table->data[index];
    if (!entry->func || !entry->func_type) end_call(END_TABLE_EMPTY);
    if (memcmp(type, entry->func_type, 32)) end_call(END_TABLE_TYPE); /* a SHA-256 of it */
    return true;
}

#undef CHECK_CALL_INDIRECT
#define CHECK_CALL_INDIRECT(table, type, index) \
    (LIKELY((index) < table.size && type == table.data[index].func_type) || check_indirect(&(table), type, index))

/* What the processor does with a not-a-number is what these instructions say; wasm2c asks first. */
#define wasm_sqrt(x) __builtin_elementwise_sqrt(x)
#define wasm_sqrtf(x) __builtin_elementwise_sqrt(x)
#define wasm_floor(x) __builtin_elementwise_floor(x)
#define wasm_floorf(x) __builtin_elementwise_floor(x)
#define wasm_ceil(x) __builtin_elementwise_ceil(x)
#define wasm_ceilf(x) __builtin_elementwise_ceil(x)
#define wasm_trunc(x) __builtin_elementwise_trunc(x)
#define wasm_truncf(x) __builtin_elementwise_trunc(x)
#define wasm_nearbyint(x) __builtin_elementwise_nearbyint(x)
#define wasm_nearbyintf(x) __builtin_elementwise_nearbyint(x)
#define wasm_fabs(x) __builtin_elementwise_abs(x)
#define wasm_fabsf(x) __builtin_elementwise_abs(x)
#undef FMIN
#undef FMAX
#define FMIN(x, y) __builtin_elementwise_minimum(x, y)
#define FMAX(x, y) __builtin_elementwise_maximum(x, y)
