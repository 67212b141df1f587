/* 2.12.1, 2.21.1 data of tasks: what is captured when, implicit firstprivate, arrays, structures, large blocks. */
#include <omp.h>

#include "../check.h"

static void captured_when_made(void)
{
    int seen[100], wrong = 0;
    memset(seen, 0, sizeof seen);
#pragma omp parallel
#pragma omp single
    {
        int number = 0;  /* implicitly firstprivate in the tasks */
        for (int i = 0; i < 100; i++) {
            number = 3 * i;
#pragma omp task shared(seen, wrong)
            {
                if (number != 3 * i) add_to_word(&wrong, 1);
                number++;
                add_to_word(&seen[i], 1);
            }
        }
        number = -1;
    }
    CHECK_EQUAL(wrong, 0);
    for (int i = 0; i < 100; i++) CHECK_EQUAL(seen[i], 1);
}

typedef struct {
    char name[20];
    double values[10];
    long long id;
} thing;

static void large_captures(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 50; i++) {
        thing one;
        int numbers[300];
        double real = i * 0.5;
        char letter = (char) ('a' + i % 26);
        snprintf(one.name, sizeof one.name, "thing %d", i);
        one.values[9] = i;
        one.id = (long long) i << 40;
        for (int k = 0; k < 300; k++) numbers[k] = i + k;
#pragma omp task firstprivate(one, numbers, real, letter) shared(wrong)
        {
            char name[20];
            snprintf(name, sizeof name, "thing %d", i);
            if (strcmp(name, one.name) || one.values[9] != i || one.id != (long long) i << 40) add_to_word(&wrong, 1);
            for (int k = 0; k < 300; k++)
                if (numbers[k] != i + k) add_to_word(&wrong, 1);
            if (real != i * 0.5 || letter != 'a' + i % 26) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void private_and_shared(void)
{
    int sum = 0, own = 100;
#pragma omp parallel
#pragma omp single
    {
        for (int i = 0; i < 20; i++) {
#pragma omp task private(own) shared(sum)
            {
                own = i;
#pragma omp atomic
                sum += own;
            }
        }
#pragma omp taskwait
        own += sum;
    }
    CHECK_EQUAL(sum, 190);
    CHECK_EQUAL(own, 290);
}

static int global;
static int threads_own = 3;
#pragma omp threadprivate(threads_own)

static void globals(void)
{
    int wrong = 0;
    global = 0;
#pragma omp parallel copyin(threads_own)
#pragma omp single
    for (int i = 0; i < 30; i++) {
#pragma omp task shared(wrong)
        {
            if (threads_own != 3) add_to_word(&wrong, 1);
#pragma omp atomic
            global++;
        }
    }
    CHECK_EQUAL(global, 30);
    CHECK_EQUAL(wrong, 0);
}

static void many_captures(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 10; i++) {
        int a = i, b = i + 1, c = i + 2, d = i + 3, e = i + 4, f = i + 5, g = i + 6, h = i + 7;
        double k = i + 8, l = i + 9;
        long long m = i + 10, n = i + 11;
        char o = (char) (i + 12);
        float p = (float) (i + 13);
        void *q = &wrong;
#pragma omp task shared(wrong)
        if (a + b + c + d + e + f + g + h + (int) k + (int) l + m + n + o + (int) p != 14 * i + 91 || q != &wrong)
            add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void from_functions_that_have_returned(int *total)
{
    int number = 5;
#pragma omp task firstprivate(number, total)
    {
        linger();
#pragma omp atomic
        *total += number;
    }
}

static void later(void)
{
    int total = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 50; i++) from_functions_that_have_returned(&total);
    CHECK_EQUAL(total, 250);
}

int main(void)
{
    RUN(captured_when_made);
    RUN(large_captures);
    RUN(private_and_shared);
    RUN(globals);
    RUN(many_captures);
    RUN(later);
    return finish();
}
