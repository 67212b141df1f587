/* 2.14.2, 2.14.5, 2.21.7 use_device_ptr, use_device_addr, is_device_ptr, members, asynchronous chains on the host. */
#include <omp.h>

#include "../check.h"

typedef struct {
    int length;
    double *values;
} series;

static void device_pointers(void)
{
    double *values = malloc(50 * sizeof *values);
    int wrong = 0, list[10] = {0};
    for (int i = 0; i < 50; i++) values[i] = i;
#pragma omp target data map(tofrom : values[0 : 50]) use_device_ptr(values)
    {
#pragma omp target is_device_ptr(values)
        for (int i = 0; i < 50; i++) values[i] += 1;
    }
#pragma omp target data map(tofrom : list) use_device_addr(list)
    list[3] = 4;
    for (int i = 0; i < 50; i++) wrong += values[i] != i + 1;
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(list[3], 4);
    free(values);
}

static void members(void)
{
    series one = {20, malloc(20 * sizeof(double))};
    for (int i = 0; i < 20; i++) one.values[i] = 1;
#pragma omp target map(tofrom : one.values[0 : 20]) map(to : one.length)
    for (int i = 0; i < one.length; i++) one.values[i] += i;
    for (int i = 0; i < 20; i++) CHECK(one.values[i] == 1 + i);
    free(one.values);
}

static void chains(void)
{
    int wrong = 0;
    for (int round = 0; round < 20; round++) {
        static int stages[4];
        memset(stages, 0, sizeof stages);
#pragma omp parallel
#pragma omp single
        {
            for (int i = 0; i < 4; i++) {
                int before = i ? i - 1 : 0;
#pragma omp target nowait map(tofrom : stages) depend(in : stages[before]) depend(out : stages[i]) firstprivate(i)
                stages[i] = (i ? stages[i - 1] : 0) + 1;
            }
        }
        wrong += stages[3] != 4;
    }
    CHECK_EQUAL(wrong, 0);
}

static void in_regions(void)
{
    int sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < 50; i++) {
        int twice = 0;
#pragma omp target map(from : twice)
        twice = 2 * i;
        sum += twice;
    }
    CHECK_EQUAL(sum, 2450);
}

int main(void)
{
    RUN(device_pointers);
    RUN(members);
    RUN(chains);
    RUN(in_regions);
    return finish();
}
