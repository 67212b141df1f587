/* 2.21.4 data-sharing clauses of parallel: shared, private, firstprivate, default; arrays, structures, arrays of variable
 * length, pointers. */
#include <omp.h>

#include "../check.h"

typedef struct {
    char letter;
    double numbers[5];
    short last;
} thing;

static void private_is_own(void)
{
    int number = 1000, lost = 0;
    int *outer = &number;
#pragma omp parallel private(number) shared(lost, outer)
    {
        number = omp_get_thread_num();
        linger();
        if (number != omp_get_thread_num() || &number == outer) add_to_word(&lost, 1);
    }
    CHECK_EQUAL(lost, 0);
    CHECK_EQUAL(number, 1000);
}

static void firstprivate_starts_with_the_value(void)
{
    int number = 42, wrong = 0;
    double real = 2.5;
    long long large = 0x123456789abcdefLL;
    char small = -7;
    float single = 1.25f;
#pragma omp parallel firstprivate(number, real, large, small, single) shared(wrong)
    {
        if (number != 42 || real != 2.5 || large != 0x123456789abcdefLL || small != -7 || single != 1.25f)
            add_to_word(&wrong, 1);
        number += omp_get_thread_num();
        large = 0;
        linger();
        if (number != 42 + omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK(number == 42 && large == 0x123456789abcdefLL);
}

static void firstprivate_arrays(void)
{
    int numbers[100], wrong = 0;
    for (int i = 0; i < 100; i++) numbers[i] = i;
#pragma omp parallel firstprivate(numbers) shared(wrong)
    {
        for (int i = 0; i < 100; i++) {
            if (numbers[i] != i) add_to_word(&wrong, 1);
            numbers[i] = -omp_get_thread_num();
        }
        linger();
        for (int i = 0; i < 100; i++)
            if (numbers[i] != -omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    for (int i = 0; i < 100; i++) CHECK_EQUAL(numbers[i], i);
}

static void firstprivate_structures(void)
{
    thing one = {'x', {1, 2, 3, 4, 5}, 99};
    int wrong = 0;
#pragma omp parallel firstprivate(one) shared(wrong)
    {
        if (one.letter != 'x' || one.numbers[4] != 5 || one.last != 99) add_to_word(&wrong, 1);
        one.numbers[2] = omp_get_thread_num() + 0.5;
        linger();
        if (one.numbers[2] != omp_get_thread_num() + 0.5) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK(one.numbers[2] == 3);
}

static void variable_length(int length)
{
    int first[length], own[length][2], wrong = 0;
    for (int i = 0; i < length; i++) first[i] = 3 * i;
#pragma omp parallel firstprivate(first) private(own) shared(wrong)
    {
        if (sizeof first != length * sizeof(int) || sizeof own != 2 * length * sizeof(int)) add_to_word(&wrong, 1);
        for (int i = 0; i < length; i++) own[i][1] = first[i] + omp_get_thread_num();
        linger();
        for (int i = 0; i < length; i++)
            if (own[i][1] != 3 * i + omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void arrays_of_variable_length(void)
{
    variable_length(1);
    variable_length(37);
    variable_length(1000);
}

static int global = 5;

static int add_global(void) { return ++global; }

static void globals_are_shared_unless_listed(void)
{
    int size = 0;
    global = 5;
#pragma omp parallel private(global)
    {
        global = 100;
#pragma omp critical
        {
            add_global();  /* the function means the global one */
            size = omp_get_num_threads();
        }
    }
    CHECK_EQUAL(global, 5 + size);
}

static void default_none(void)
{
    int given = 3, own = 0, result = 0;
#pragma omp parallel default(none) shared(result) firstprivate(given) private(own)
    {
        own = given + 1;
#pragma omp atomic
        result += own == 4;
    }
    CHECK(result >= 1);
#pragma omp parallel default(shared) private(own)
    {
        own = 1;
#pragma omp master
        given += own;
    }
    CHECK_EQUAL(given, 4);
}

static void shared_arrays(void)
{
    enum { SIZE = 1000 };
    static int numbers[SIZE];
    int *pointer = malloc(SIZE * sizeof *pointer), size = 0;
#pragma omp parallel shared(numbers, pointer, size)
    {
        int threads = omp_get_num_threads();
        if (omp_get_thread_num() == 0) size = threads;
        for (int i = omp_get_thread_num(); i < SIZE; i += threads) numbers[i] = pointer[i] = i;
    }
    for (int i = 0; i < SIZE; i++) CHECK(numbers[i] == i && pointer[i] == i);
    CHECK(size >= 1);
    free(pointer);
}

static void private_pointers(void)
{
    int values[8], *place = values, wrong = 0;
    memset(values, 0, sizeof values);
#pragma omp parallel num_threads(8) firstprivate(place) shared(values, wrong)
    {
        place += omp_get_thread_num();
        *place = omp_get_thread_num() + 1;
        linger();
        if (place != values + omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK(place == values && values[0] == 1);
}

int main(void)
{
    RUN(private_is_own);
    RUN(firstprivate_starts_with_the_value);
    RUN(firstprivate_arrays);
    RUN(firstprivate_structures);
    RUN(arrays_of_variable_length);
    RUN(globals_are_shared_unless_listed);
    RUN(default_none);
    RUN(shared_arrays);
    RUN(private_pointers);
    return finish();
}
