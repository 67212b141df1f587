/* Runs short parallel regions for some seconds; prints, for each whose team has another size than the one before, when it
 * began (nanoseconds of the monotonic clock) and its size, and at last the longest time from one beginning to the next. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 10000 };
static long long begun[MOST], longest;
static int sizes[MOST], changes;

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **words)
{
    long long end = now() + (long long) (atof(count > 1 ? words[1] : "2") * 1e9), before = now();
    int last = 0;
    while (before < end && changes < MOST) {
        int size = 0;
        double sum = 0;
        long long start = now();
        if (start - before > longest) longest = start - before;
        before = start;
#pragma omp parallel reduction(+ : sum)
        {
#pragma omp master
            size = omp_get_num_threads();
            for (int i = 1; i < 20000; i++) sum += 1.0 / i;
        }
        if (sum < 1) return 1;
        if (size != last) {
            begun[changes] = start;
            sizes[changes++] = last = size;
        }
    }
    for (int i = 0; i < changes; i++) printf("%lld %d\n", begun[i], sizes[i]);
    printf("longest %lld\n", longest);
    return 0;
}
