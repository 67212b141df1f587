/* 6.6 OMP_STACKSIZE: threads have stacks of the size that is asked for, and what makes no sense is left aside. */
// run: OMP_STACKSIZE=8M OMP_NUM_THREADS=3
// run: OMP_STACKSIZE=6000 OMP_NUM_THREADS=3
// run: OMP_STACKSIZE=6000k OMP_NUM_THREADS=3
// run: OMP_STACKSIZE=6000000B OMP_NUM_THREADS=3
// run: OMP_STACKSIZE=huge OMP_NUM_THREADS=2
// run: OMP_STACKSIZE=-1 OMP_NUM_THREADS=2
// run: OMP_STACKSIZE=2Q OMP_NUM_THREADS=2
// run: OMP_NUM_THREADS=3
#include <omp.h>

#include "../check.h"

static __attribute__((noinline)) int use_stack(int kilobytes)
{
    volatile char block[1024];
    block[0] = (char) kilobytes;
    block[1023] = 1;
    if (kilobytes == 0) return block[1023];
    return use_stack(kilobytes - 1) + block[1023];
}

/* How much may be used: of what was asked for, most; else half a megabyte. */
static int usable_kilobytes(void)
{
    const char *text = getenv("OMP_STACKSIZE");
    if (text && (strcmp(text, "8M") == 0 || strncmp(text, "6000", 4) == 0)) return 4500;
    return 500;
}

static void deep(void)
{
    int wrong = 0, kilobytes = usable_kilobytes();
#pragma omp parallel
    {
        /* The first thread has the program's own stack, whose size this variable does not tell. */
        int mine = omp_get_thread_num() ? kilobytes : 400;
        for (int round = 0; round < 3; round++)
            if (use_stack(mine) != mine + 1) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void large_private_arrays(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        volatile char block[200000];
        for (int i = 0; i < 200000; i += 1000) block[i] = (char) omp_get_thread_num();
        linger();
        for (int i = 0; i < 200000; i += 1000)
            if (block[i] != (char) omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(deep);
    RUN(large_private_arrays);
    return finish();
}
