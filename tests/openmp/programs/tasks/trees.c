/* 2.12 tasks that make tasks: Fibonacci numbers, queens, sorting, a walk over a tree, deep and wide. */
#include <omp.h>

#include "../check.h"

static long long fibonacci(int n)
{
    if (n < 2) return n;
    long long left, right;
#pragma omp task shared(left)
    left = fibonacci(n - 1);
#pragma omp task shared(right) if (n > 5)
    right = fibonacci(n - 2);
#pragma omp taskwait
    return left + right;
}

static void fibonacci_numbers(void)
{
    for (int n = 0; n <= 20; n += 4) {
        long long result = -1;
#pragma omp parallel
#pragma omp single
        result = fibonacci(n);
        SHOW("fibonacci(%d) = %lld", n, result);
    }
    long long alone = fibonacci(12);
    CHECK_EQUAL(alone, 144);
}

static int solutions;

static void place_queens(int size, int row, const char *columns)
{
    if (row == size) {
        add_to_word(&solutions, 1);
        return;
    }
    for (int column = 0; column < size; column++) {
#pragma omp task firstprivate(column) shared(columns)
        {
            char more[12];
            int fits = 1;
            for (int other = 0; other < row; other++) {
                int distance = columns[other] - column;
                if (distance == 0 || distance == row - other || distance == other - row) fits = 0;
                more[other] = columns[other];
            }
            more[row] = (char) column;
            if (fits) place_queens(size, row + 1, more);
        }
    }
#pragma omp taskwait
}

static void queens(void)
{
    static const int wanted[] = {1, 0, 0, 2, 10, 4, 40};
    for (int size = 1; size <= 7; size++) {
        char none[12] = {0};
        solutions = 0;
#pragma omp parallel
#pragma omp single
        place_queens(size, 0, none);
        CHECK_EQUAL(solutions, wanted[size - 1]);
    }
}

static void sort(unsigned *numbers, unsigned *space, int length)
{
    if (length < 20) {
        for (int i = 1; i < length; i++)
            for (int k = i; k > 0 && numbers[k] < numbers[k - 1]; k--) {
                unsigned other = numbers[k];
                numbers[k] = numbers[k - 1];
                numbers[k - 1] = other;
            }
        return;
    }
    int half = length / 2;
#pragma omp task
    sort(numbers, space, half);
#pragma omp task
    sort(numbers + half, space + half, length - half);
#pragma omp taskwait
    int left = 0, right = half;
    for (int i = 0; i < length; i++)
        space[i] = right == length || (left < half && numbers[left] <= numbers[right]) ? numbers[left++] : numbers[right++];
    memcpy(numbers, space, (size_t) length * sizeof *numbers);
}

static void sorting(void)
{
    enum { LENGTH = 20000 };
    unsigned *numbers = malloc(LENGTH * sizeof *numbers), *space = malloc(LENGTH * sizeof *space), sum = 0;
    for (int i = 0; i < LENGTH; i++) sum += numbers[i] = mix((unsigned) i);
#pragma omp parallel
#pragma omp single
    sort(numbers, space, LENGTH);
    for (int i = 0; i < LENGTH; i++) {
        sum -= numbers[i];
        if (i) CHECK(numbers[i - 1] <= numbers[i]);
    }
    CHECK_EQUAL(sum, 0);
    free(numbers);
    free(space);
}

typedef struct node {
    struct node *left, *right;
    int value;
} node;

static node *grow(int depth, int value)
{
    if (depth == 0) return NULL;
    node *one = malloc(sizeof *one);
    one->value = value;
#pragma omp task shared(one)
    one->left = grow(depth - 1, 2 * value);
#pragma omp task shared(one)
    one->right = grow(depth - 1, 2 * value + 1);
#pragma omp taskwait
    return one;
}

static long long total;

static void walk(node *one)
{
    if (!one) return;
#pragma omp task
    walk(one->left);
#pragma omp task
    walk(one->right);
#pragma omp atomic
    total += one->value;
}

static void cut(node *one)
{
    if (!one) return;
    cut(one->left);
    cut(one->right);
    free(one);
}

static void binary_tree(void)
{
    node *root = NULL;
    total = 0;
#pragma omp parallel
#pragma omp single
    root = grow(10, 1);
#pragma omp parallel
#pragma omp single nowait
    walk(root);
    CHECK_EQUAL(total, 1023LL * 1024 / 2);
    cut(root);
}

static int chain(int depth)
{
    int below = 0;
    if (depth == 0) return 0;
#pragma omp task shared(below)
    below = chain(depth - 1);
#pragma omp taskwait
    return below + 1;
}

static void deep_chain(void)
{
    int depth = 0;
#pragma omp parallel
#pragma omp single
    depth = chain(500);
    CHECK_EQUAL(depth, 500);
}

int main(void)
{
    RUN(fibonacci_numbers);
    RUN(queens);
    RUN(sorting);
    RUN(binary_tree);
    RUN(deep_chain);
    return finish();
}
