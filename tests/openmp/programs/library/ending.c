/* Ends of programs: exit by a thread that is not the first, with others at work, waiting, in a barrier; atexit. */
#include <omp.h>

#include "../check.h"

static void at_the_end(void)
{
    printf("  said at the end\nall passed\n");
    fflush(stdout);
}

static void exits(void)
{
    atexit(at_the_end);
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
    {
        if (omp_get_thread_num() == 1) {
            linger();
            exit(0);
        } else if (omp_get_thread_num() == 2) {
#pragma omp barrier
        } else {
            for (;;) linger();
        }
    }
}

int main(void)
{
    RUN(exits);
    return 1;
}
