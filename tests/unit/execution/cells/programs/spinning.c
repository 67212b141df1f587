/* A thread waits for another by looking at a variable, as programs did before there were atomic ones; and counts.
 * Between the loops are fences, or wasmtime takes what the loop before has loaded for what is loaded again. */
#include <omp.h>
#include <stdio.h>
#include <unistd.h>

static volatile int flag;
static volatile long turns;

__attribute__((noinline)) static int is_set(int value) { return flag >= value; }

int main(void)
{
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1) {
        for (int value = 1; value <= 4; value++) {
            usleep(20000);
            flag = value;
        }
    } else {
        long count = 0;
        while (!flag) {}
#pragma omp flush
        while (flag < 2) count++;
#pragma omp flush
        while (flag < 3) turns = turns + 1;
#pragma omp flush
        while (!is_set(4)) count++;
        turns = turns + count;
    }
    puts(turns > 0 ? "ok" : "no turns");
    return 0;
}
