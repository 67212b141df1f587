/* 2.16 combined constructs, with clauses that go to their parts. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 300 };
static int counts[SIZE];

static void expect(int times)
{
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(counts[i], times);
    memset(counts, 0, sizeof counts);
}

static void loops(void)
{
    int sum = 3, last = 0, first = 2, number = 4;
#pragma omp parallel for num_threads(number) if (number > 2) firstprivate(first) lastprivate(last) reduction(+ : sum) \
    schedule(static, 7) collapse(2) proc_bind(close) default(shared)
    for (int i = 0; i < 30; i++)
        for (int j = 0; j < 10; j++) {
            add_to_word(&counts[10 * i + j], 1);
            sum += first;
            last = 10 * i + j;
        }
    expect(1);
    CHECK(sum == 3 + 2 * SIZE && last == SIZE - 1);
#pragma omp parallel for simd if (parallel : number > 2) if (simd : 0) reduction(+ : sum)
    for (int i = 0; i < SIZE; i++) {
        counts[i]++;
        sum += 1;
    }
    expect(1);
    CHECK_EQUAL(sum, 3 + 3 * SIZE);
}

static void sections(void)
{
    int sum = 0, own = 1, last = 0;
#pragma omp parallel sections num_threads(2) reduction(+ : sum) firstprivate(own) lastprivate(last)
    {
        sum += own;
#pragma omp section
        sum += 10 * own;
#pragma omp section
        last = 5;
    }
    CHECK(sum == 11 && last == 5);
}

static void masters(void)
{
    int sum = 0;
#pragma omp parallel master num_threads(3) shared(sum)
    sum += omp_get_thread_num() + 1;
    CHECK_EQUAL(sum, 1);
#pragma omp parallel master taskloop num_threads(3) grainsize(10) reduction(+ : sum)
    for (int i = 0; i < SIZE; i++) sum += 1;
    CHECK_EQUAL(sum, SIZE + 1);
#pragma omp parallel master taskloop simd num_tasks(4) shared(counts)
    for (int i = 0; i < SIZE; i++) counts[i]++;
    expect(1);
}

int main(void)
{
    RUN(loops);
    RUN(sections);
    RUN(masters);
    return finish();
}
