/* A thread waits for another by looking at a variable, as programs did before there were atomic ones. */
#include <omp.h>
#include <stdio.h>
#include <unistd.h>

static volatile int flag;

int main(void)
{
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1) {
        usleep(20000);
        flag = 1;
    } else {
        while (!flag) {}
    }
    puts("ok");
    return 0;
}
