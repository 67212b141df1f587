/* What threads do right and wrong; the first argument says what. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int flag;
static long turns;

static int deeper(int depth, volatile char *above)
{
    volatile char place[1000];
    place[0] = (char) (depth + above[0]);
    return depth ? deeper(depth - 1, place) + place[0] : place[0];
}

__attribute__((noinline)) static void wrong(const char *how)
{
    volatile char none = 0;
    if (!strcmp(how, "trap"))
        __builtin_trap();
    if (!strcmp(how, "exit"))
        exit(7);
    if (!strcmp(how, "overflow"))
        printf("%d\n", deeper(100000000, &none));
    if (!strcmp(how, "outside"))
        printf("%d\n", *(volatile int *) 0xffff0000u);
    while (!strcmp(how, "spin"))
        none++;
    while (!strcmp(how, "allocate"))
        free(malloc(70000));
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "sizes";
    int size = 0, asked = strcmp(how, "many") ? 3 : 1000;
#pragma omp parallel num_threads(asked)
#pragma omp single
    size = omp_get_num_threads();
    printf("asked %d: %d", asked, size);
    if (!strcmp(how, "sizes"))
        printf(", sized %d", omp_get_max_threads());
    puts("");
    fflush(stdout);
    if (!strcmp(how, "fifo")) {
#pragma omp parallel num_threads(3)
        {
            int number = 0;
            FILE *end = NULL;
            if (omp_get_thread_num() == 1 && (end = fopen("here/fifo", "r")) && fscanf(end, "%d", &number) == 1)
                printf("heard %d\n", number);
            if (omp_get_thread_num() == 2) {
                usleep(100000);
                if ((end = fopen("here/fifo", "w"))) fprintf(end, "42\n");
            }
            if (end) fclose(end);
        }
        return 0;
    }
    if (!strcmp(how, "volatile")) {
#pragma omp parallel num_threads(2)
        if (omp_get_thread_num()) {
            for (int stage = 1; stage <= 3; stage++) {
                usleep(50000);
                flag = stage;
            }
        } else {
            while (!flag) {}
            while (flag < 2) turns++;
            while (flag < 3) turns += flag;
            puts("seen");
        }
        return 0;
    }
    if (!strcmp(how, "guard")) {
#pragma omp parallel num_threads(2)
        if (omp_get_thread_num() == 1) {
            char here;
            for (char *below = &here - ((unsigned long) &here & 4095); below > &here - (16 << 20); below -= 4096)
                if (getentropy(below, 1)) {
                    puts("refused");
                    break;
                }
        }
        return 0;
    }
    if (!strcmp(how, "sizes") || !strcmp(how, "many"))
        return 0;
#pragma omp parallel num_threads(3)
    {
        if (omp_get_thread_num() == 1)
            wrong(how);
        if (!strcmp(how, "wait") && omp_get_thread_num() == 1)
            for (;;)
                sleep(100);
    }
    return 0;
}
