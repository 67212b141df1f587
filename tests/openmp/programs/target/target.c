/* 2.14 target on the host: regions, data environments, updates, combined constructs, tasks of the target. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 400 };
static int numbers[SIZE];

static void region(void)
{
    int value = 5, on_host = 0, first = 3;
#pragma omp target map(tofrom : value) map(from : on_host) firstprivate(first)
    {
        value += 10 + first;
        first = 0;
        on_host = omp_is_initial_device();
    }
    CHECK_EQUAL(value, 18);
    CHECK_EQUAL(on_host, 1);
    CHECK_EQUAL(first, 3);
}

static void scalars_are_firstprivate(void)
{
    int value = 7, seen = 0;
#pragma omp target map(from : seen)
    {
        seen = value;
        value = 100;
    }
    CHECK_EQUAL(seen, 7);
    CHECK_EQUAL(value, 7);
#pragma omp target defaultmap(tofrom : scalar)
    value = 9;
    CHECK_EQUAL(value, 9);
}

static void arrays(void)
{
    int *place = malloc(SIZE * sizeof *place);
    for (int i = 0; i < SIZE; i++) place[i] = numbers[i] = i;
#pragma omp target map(tofrom : numbers) map(tofrom : place[0 : SIZE])
    for (int i = 0; i < SIZE; i++) {
        numbers[i] *= 2;
        place[i] += numbers[i];
    }
    for (int i = 0; i < SIZE; i++) CHECK(numbers[i] == 2 * i && place[i] == 3 * i);
#pragma omp target data map(tofrom : place[0 : SIZE])
    {
#pragma omp target map(tofrom : place[0 : SIZE])
        place[0] = 77;
#pragma omp target update from(place[0 : 1])
        CHECK_EQUAL(place[0], 77);
        place[1] = 5;
#pragma omp target update to(place[1 : 1])
#pragma omp target map(tofrom : place[0 : SIZE])
        place[2] = place[1] + 1;
    }
    CHECK_EQUAL(place[2], 6);
#pragma omp target enter data map(to : place[0 : SIZE])
#pragma omp target map(tofrom : place[0 : SIZE])
    place[3] = 8;
#pragma omp target exit data map(from : place[0 : SIZE])
    CHECK_EQUAL(place[3], 8);
    free(place);
}

static void combined(void)
{
    long long sum = 0;
#pragma omp target parallel for reduction(+ : sum) map(tofrom : sum)
    for (int i = 0; i < SIZE; i++) sum += i;
    CHECK_EQUAL(sum, 79800);
#pragma omp target teams distribute parallel for reduction(+ : sum) map(tofrom : sum)
    for (int i = 0; i < SIZE; i++) sum += i;
    CHECK_EQUAL(sum, 159600);
#pragma omp target teams distribute parallel for simd map(from : numbers)
    for (int i = 0; i < SIZE; i++) numbers[i] = i;
#pragma omp target parallel map(tofrom : numbers)
    {
#pragma omp for
        for (int i = 0; i < SIZE; i++) numbers[i]++;
    }
#pragma omp target teams num_teams(2) map(tofrom : numbers)
#pragma omp distribute
    for (int i = 0; i < SIZE; i++) numbers[i]++;
#pragma omp target simd map(tofrom : numbers)
    for (int i = 0; i < SIZE; i++) numbers[i]++;
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(numbers[i], i + 3);
}

static void as_tasks(void)
{
    int wrong = 0;
    for (int round = 0; round < 20; round++) {
        int a = 0, b = 0;
#pragma omp parallel
#pragma omp single
        {
#pragma omp target nowait map(tofrom : a) depend(out : a)
            a = 5;
#pragma omp target nowait map(tofrom : a, b) depend(in : a) depend(out : b)
            b = a + 1;
#pragma omp task depend(in : b) shared(a, b)
            a = b + 1;
#pragma omp taskwait
        }
        wrong += a != 7 || b != 6;
    }
    CHECK_EQUAL(wrong, 0);
    int value = 0;
#pragma omp target enter data nowait map(to : value) depend(out : value)
#pragma omp target update nowait to(value) depend(inout : value)
#pragma omp target exit data nowait map(from : value) depend(inout : value)
#pragma omp taskwait
    CHECK_EQUAL(value, 0);
}

#pragma omp declare target
__attribute__((visibility("default"))) int table[10];
static int look_up(int i) { return table[i] * 2; }
#pragma omp end declare target

static void declared(void)
{
    int seen = 0;
    for (int i = 0; i < 10; i++) table[i] = i;
#pragma omp target update to(table)
#pragma omp target map(from : seen)
    seen = look_up(7);
    CHECK_EQUAL(seen, 14);
}

static void conditions(void)
{
    int seen = 0;
#pragma omp target if (0) map(tofrom : seen)
    seen += omp_is_initial_device();
#pragma omp target device(omp_get_initial_device()) map(tofrom : seen)
    seen += omp_is_initial_device();
#pragma omp target data if (0) map(tofrom : seen)
    seen++;
    CHECK_EQUAL(seen, 3);
}

int main(void)
{
    RUN(region);
    RUN(scalars_are_firstprivate);
    RUN(arrays);
    RUN(combined);
    RUN(as_tasks);
    RUN(declared);
    RUN(conditions);
    return finish();
}
