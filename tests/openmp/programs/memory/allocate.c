/* 2.13, 3.13 allocators: the predefined ones, own ones with traits, and the allocate clause and directive. */
#include <omp.h>
#include <stdint.h>

#include "../check.h"

static void predefined(void)
{
    omp_allocator_handle_t all[] = {omp_null_allocator, omp_default_mem_alloc, omp_large_cap_mem_alloc,
                                    omp_const_mem_alloc, omp_high_bw_mem_alloc, omp_low_lat_mem_alloc};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        char *place = omp_alloc(1000, all[i]);
        CHECK(place != NULL);
        if (!place) continue;
        memset(place, 'x', 1000);
        CHECK(place[999] == 'x' && (uintptr_t) place % sizeof(void *) == 0);
        omp_free(place, i % 2 ? omp_null_allocator : all[i]);
    }
    omp_free(NULL, omp_default_mem_alloc);
}

static void more_functions(void)
{
    int *zeros = omp_calloc(100, sizeof *zeros, omp_default_mem_alloc);
    for (int i = 0; i < 100; i++) {
        CHECK_EQUAL(zeros[i], 0);
        zeros[i] = i;
    }
    zeros = omp_realloc(zeros, 1000 * sizeof *zeros, omp_default_mem_alloc, omp_default_mem_alloc);
    for (int i = 0; i < 100; i++) CHECK_EQUAL(zeros[i], i);
    omp_free(zeros, omp_default_mem_alloc);
    for (size_t alignment = 8; alignment <= 4096; alignment *= 2) {
        char *place = omp_aligned_alloc(alignment, 4 * alignment, omp_default_mem_alloc);
        CHECK(place && (uintptr_t) place % alignment == 0);
        memset(place, 1, 4 * alignment);
        omp_free(place, omp_default_mem_alloc);
        place = omp_aligned_calloc(alignment, 4, alignment, omp_default_mem_alloc);
        CHECK(place && (uintptr_t) place % alignment == 0);
        for (size_t i = 0; i < 4 * alignment; i++) CHECK_EQUAL(place[i], 0);
        omp_free(place, omp_default_mem_alloc);
    }
}

static void traits(void)
{
    omp_alloctrait_t aligned[] = {{omp_atk_alignment, 256}, {omp_atk_sync_hint, omp_atv_contended}};
    omp_allocator_handle_t allocator = omp_init_allocator(omp_default_mem_space, 2, aligned);
    CHECK(allocator != omp_null_allocator);
    for (int i = 1; i < 10; i++) {
        char *place = omp_alloc((size_t) i * 10, allocator);
        CHECK(place && (uintptr_t) place % 256 == 0);
        omp_free(place, allocator);
    }
    omp_destroy_allocator(allocator);
}

static void pools(void)
{
    omp_alloctrait_t small[] = {{omp_atk_pool_size, 4096}, {omp_atk_fallback, omp_atv_null_fb}};
    omp_allocator_handle_t allocator = omp_init_allocator(omp_default_mem_space, 2, small);
    CHECK(allocator != omp_null_allocator);
    CHECK(omp_alloc(100000, allocator) == NULL);
    char *first = omp_alloc(1000, allocator), *second = omp_alloc(1000, allocator);
    CHECK(first && second && first != second);
    char *third = omp_alloc(4000, allocator);
    CHECK(third == NULL);
    omp_free(first, allocator);
    omp_free(second, allocator);
    third = omp_alloc(3000, allocator);
    CHECK(third != NULL);
    omp_free(third, allocator);
    omp_destroy_allocator(allocator);
    omp_alloctrait_t default_fallback[] = {{omp_atk_pool_size, 100}, {omp_atk_fallback, omp_atv_default_mem_fb}};
    allocator = omp_init_allocator(omp_default_mem_space, 2, default_fallback);
    char *place = omp_alloc(10000, allocator);
    CHECK(place != NULL);
    omp_free(place, allocator);
    omp_destroy_allocator(allocator);
}

static void default_allocator(void)
{
    omp_allocator_handle_t before = omp_get_default_allocator();
    CHECK(before == omp_default_mem_alloc);
    omp_set_default_allocator(omp_large_cap_mem_alloc);
    CHECK(omp_get_default_allocator() == omp_large_cap_mem_alloc);
    omp_set_default_allocator(before);
}

static void clause(void)
{
    int wrong = 0, value = 3;
    double numbers[50];
    for (int i = 0; i < 50; i++) numbers[i] = i;
#pragma omp parallel private(value) firstprivate(numbers) allocate(omp_default_mem_alloc : value, numbers)
    {
        value = omp_get_thread_num();
        linger();
        if (value != omp_get_thread_num()) add_to_word(&wrong, 1);
        for (int i = 0; i < 50; i++)
            if (numbers[i] != i) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 10; i++) {
#pragma omp task firstprivate(numbers) allocate(numbers) shared(wrong)
        if (numbers[49] != 49) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void by_all_threads(void)
{
    int wrong = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 2000; i++) {
        size_t size = 1 + mix((unsigned) i) % 3000;
        unsigned char *place = omp_alloc(size, omp_default_mem_alloc);
        memset(place, i & 255, size);
        linger();
        for (size_t k = 0; k < size; k++)
            if (place[k] != (i & 255)) add_to_word(&wrong, 1);
        omp_free(place, omp_default_mem_alloc);
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(predefined);
    RUN(more_functions);
    RUN(traits);
    RUN(pools);
    RUN(default_allocator);
    RUN(clause);
    RUN(by_all_threads);
    return finish();
}
