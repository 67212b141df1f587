/* 3.8 memory of devices, where there is only the host; 3.7 information about devices. */
#include <omp.h>

#include "../check.h"

static void only_the_host(void)
{
    CHECK_EQUAL(omp_get_num_devices(), 0);
    CHECK_EQUAL(omp_is_initial_device(), 1);
    CHECK_EQUAL(omp_get_initial_device(), omp_get_num_devices());
    int device = omp_get_device_num();
    CHECK_EQUAL(device, omp_get_initial_device());
    int before = omp_get_default_device();
    omp_set_default_device(3);
    CHECK_EQUAL(omp_get_default_device(), 3);
    omp_set_default_device(before);
    CHECK_EQUAL(omp_get_default_device(), before);
}

static void allocate_and_copy(void)
{
    int host = omp_get_initial_device();
    int *there = omp_target_alloc(100 * sizeof *there, host), here[100], back[100] = {0};
    CHECK(there != NULL);
    for (int i = 0; i < 100; i++) here[i] = 3 * i;
    CHECK_EQUAL(omp_target_memcpy(there, here, sizeof here, 0, 0, host, host), 0);
    CHECK_EQUAL(omp_target_memcpy(back, there, 40, 20, 40, host, host), 0);
    for (int i = 0; i < 100; i++) CHECK_EQUAL(back[i], i >= 5 && i < 15 ? 3 * (i + 5) : 0);
    omp_target_free(there, host);
    omp_target_free(NULL, host);
}

static void rectangles(void)
{
    int host = omp_get_initial_device();
    double from[4][6], to[5][5];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 6; j++) from[i][j] = 10 * i + j;
    memset(to, 0, sizeof to);
    size_t volume[] = {2, 3}, to_offset[] = {1, 2}, from_offset[] = {2, 1}, to_size[] = {5, 5}, from_size[] = {4, 6};
    CHECK_EQUAL(omp_target_memcpy_rect(to, from, sizeof(double), 2, volume, to_offset, from_offset, to_size, from_size,
                                       host, host), 0);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            int inside = i >= 1 && i < 3 && j >= 2 && j < 5;
            CHECK(to[i][j] == (inside ? 10 * (i + 1) + j - 1 : 0));
        }
}

static void presence(void)
{
    int value = 0;
    CHECK(omp_target_is_present(&value, omp_get_initial_device()) != 0);
    /* Associating host memory with host memory is an error that is told by the result, or nothing at all. */
    int result = omp_target_associate_ptr(&value, &value, sizeof value, 0, 1000);
    CHECK(result != 0);
}

int main(void)
{
    RUN(only_the_host);
    RUN(allocate_and_copy);
    RUN(rectangles);
    RUN(presence);
    return finish();
}
