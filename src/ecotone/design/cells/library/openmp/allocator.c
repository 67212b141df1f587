/* Memory of omp.h: every space is the heap. Each block has what it needs to be given back before it. */
#include "../omp.h"

#include "openmp.h"

#include <stdlib.h>
#include <string.h>

#define LAST_PREDEFINED omp_thread_mem_alloc
#define ALIGNMENT 16u

struct allocator {
    size_t alignment, pool_bytes; /* 0: no limit */
    omp_alloctrait_value_t fallback;
    omp_allocator_handle_t other;
    word lock;
    size_t used;
};
struct block {
    void *whole;
    size_t bytes;
    struct allocator *allocator;
};

static struct allocator *own(omp_allocator_handle_t handle)
{
    return handle > LAST_PREDEFINED ? (struct allocator *) (uintptr_t) handle : NULL;
}

omp_allocator_handle_t omp_init_allocator(omp_memspace_handle_t space, int count, const omp_alloctrait_t traits[])
{
    (void) space;
    struct allocator *allocator = calloc(1, sizeof *allocator);
    if (!allocator)
        return omp_null_allocator;
    allocator->alignment = 1;
    allocator->fallback = omp_atv_default_mem_fb;
    for (int at = 0; at < count; at++) {
        omp_uintptr_t value = traits[at].value;
        bool standard = value == omp_atv_default;
        switch (traits[at].key) {
        case omp_atk_alignment: allocator->alignment = standard ? 1 : value; break;
        case omp_atk_pool_size: allocator->pool_bytes = standard ? 0 : value; break;
        case omp_atk_fallback:
            allocator->fallback = standard ? omp_atv_default_mem_fb : (omp_alloctrait_value_t) value;
            break;
        case omp_atk_fb_data: allocator->other = (omp_allocator_handle_t) value; break;
        default: break; /* nothing that would make a difference here */
        }
    }
    if (allocator->alignment & (allocator->alignment - 1)) {
        free(allocator);
        return omp_null_allocator;
    }
    return (omp_allocator_handle_t) (uintptr_t) allocator;
}

void omp_destroy_allocator(omp_allocator_handle_t handle) { free(own(handle)); }

void omp_set_default_allocator(omp_allocator_handle_t handle)
{
    eomp_here();
    eomp_settings.allocator = handle == omp_null_allocator ? omp_default_mem_alloc : (uintptr_t) handle;
}
omp_allocator_handle_t omp_get_default_allocator(void)
{
    eomp_here();
    return (omp_allocator_handle_t) eomp_settings.allocator;
}

static bool reserve(struct allocator *allocator, size_t bytes)
{
    if (!allocator || !allocator->pool_bytes)
        return true;
    eomp_lock(&allocator->lock);
    bool fits = bytes <= allocator->pool_bytes - allocator->used;
    if (fits)
        allocator->used += bytes;
    eomp_unlock(&allocator->lock);
    return fits;
}

static void give_back(struct allocator *allocator, size_t bytes)
{
    if (!allocator || !allocator->pool_bytes)
        return;
    eomp_lock(&allocator->lock);
    allocator->used -= bytes;
    eomp_unlock(&allocator->lock);
}

static struct block *block_of(void *data) { return (struct block *) data - 1; }

static void *take(size_t alignment, size_t bytes, struct allocator *allocator)
{
    if (allocator && allocator->alignment > alignment)
        alignment = allocator->alignment;
    if (alignment < ALIGNMENT)
        alignment = ALIGNMENT;
    size_t whole = bytes + alignment + sizeof(struct block);
    if (whole < bytes || !reserve(allocator, bytes))
        return NULL;
    char *start = malloc(whole);
    if (!start) {
        give_back(allocator, bytes);
        return NULL;
    }
    uintptr_t at = ((uintptr_t) start + sizeof(struct block) + alignment - 1) & -(uintptr_t) alignment;
    *block_of((void *) at) = (struct block) {.whole = start, .bytes = bytes, .allocator = allocator};
    return (void *) at;
}

void *omp_aligned_alloc(size_t alignment, size_t bytes, omp_allocator_handle_t handle)
{
    if (!bytes || alignment & (alignment - 1))
        return NULL;
    if (handle == omp_null_allocator)
        handle = omp_get_default_allocator();
    struct allocator *allocator = own(handle);
    void *data = take(alignment, bytes, allocator);
    if (data || !allocator)
        return data;
    switch (allocator->fallback) {
    case omp_atv_default_mem_fb: return take(alignment, bytes, NULL);
    case omp_atv_allocator_fb: return omp_aligned_alloc(alignment, bytes, allocator->other);
    case omp_atv_abort_fb: eomp_fail("an allocator has no memory left for %zu bytes", bytes);
    default: return NULL;
    }
}

void *omp_alloc(size_t bytes, omp_allocator_handle_t handle) { return omp_aligned_alloc(1, bytes, handle); }

void *omp_aligned_calloc(size_t alignment, size_t count, size_t bytes, omp_allocator_handle_t handle)
{
    size_t all;
    if (__builtin_mul_overflow(count, bytes, &all))
        return NULL;
    void *data = omp_aligned_alloc(alignment, all, handle);
    return data ? memset(data, 0, all) : NULL;
}
void *omp_calloc(size_t count, size_t bytes, omp_allocator_handle_t handle)
{
    return omp_aligned_calloc(1, count, bytes, handle);
}

void omp_free(void *data, omp_allocator_handle_t handle)
{
    (void) handle; /* the block knows */
    if (!data)
        return;
    struct block *block = block_of(data);
    give_back(block->allocator, block->bytes);
    free(block->whole);
}

void *omp_realloc(void *data, size_t bytes, omp_allocator_handle_t handle, omp_allocator_handle_t free_handle)
{
    if (!data)
        return omp_alloc(bytes, handle);
    if (!bytes) {
        omp_free(data, free_handle);
        return NULL;
    }
    if (handle == omp_null_allocator && block_of(data)->allocator)
        handle = (omp_allocator_handle_t) (uintptr_t) block_of(data)->allocator;
    void *moved = omp_alloc(bytes, handle);
    if (!moved)
        return NULL;
    memcpy(moved, data, bytes < block_of(data)->bytes ? bytes : block_of(data)->bytes);
    omp_free(data, free_handle);
    return moved;
}

/* ---- What the compiler calls ---- */

void *__kmpc_alloc(int32_t id, size_t bytes, omp_allocator_handle_t handle)
{
    (void) id;
    return omp_alloc(bytes, handle);
}
void *__kmpc_aligned_alloc(int32_t id, size_t alignment, size_t bytes, omp_allocator_handle_t handle)
{
    (void) id;
    return omp_aligned_alloc(alignment, bytes, handle);
}
void *__kmpc_calloc(int32_t id, size_t count, size_t bytes, omp_allocator_handle_t handle)
{
    (void) id;
    return omp_calloc(count, bytes, handle);
}
void *__kmpc_realloc(int32_t id, void *data, size_t bytes, omp_allocator_handle_t handle,
                     omp_allocator_handle_t free_handle)
{
    (void) id;
    return omp_realloc(data, bytes, handle, free_handle);
}
void __kmpc_free(int32_t id, void *data, omp_allocator_handle_t handle)
{
    (void) id;
    omp_free(data, handle);
}
omp_allocator_handle_t __kmpc_init_allocator(int32_t id, omp_memspace_handle_t space, int count,
                                             const omp_alloctrait_t traits[])
{
    (void) id;
    return omp_init_allocator(space, count, traits);
}
void __kmpc_destroy_allocator(int32_t id, omp_allocator_handle_t handle)
{
    (void) id;
    omp_destroy_allocator(handle);
}
void __kmpc_set_default_allocator(int32_t id, omp_allocator_handle_t handle)
{
    (void) id;
    omp_set_default_allocator(handle);
}
omp_allocator_handle_t __kmpc_get_default_allocator(int32_t id)
{
    (void) id;
    return omp_get_default_allocator();
}
