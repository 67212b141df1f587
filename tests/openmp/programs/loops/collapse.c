/* 2.11.1 collapse: nests of two to four loops as one, with an empty loop anywhere. */
#include <omp.h>

#include "../check.h"

static int seen[4000];

static void expect(int number)
{
    for (int i = 0; i < 4000; i++) CHECK_EQUAL(seen[i], i < number);
    memset(seen, 0, sizeof seen);
}

static void two(void)
{
#pragma omp parallel for collapse(2)
    for (int i = 0; i < 30; i++)
        for (int j = 0; j < 40; j++) add_to_word(&seen[40 * i + j], 1);
    expect(1200);
#pragma omp parallel for collapse(2) schedule(dynamic, 7)
    for (int i = 29; i >= 0; i--)
        for (int j = 0; j < 80; j += 2) add_to_word(&seen[40 * i + j / 2], 1);
    expect(1200);
}

static void three(void)
{
#pragma omp parallel for collapse(3) schedule(static, 5)
    for (int i = 0; i < 7; i++)
        for (unsigned j = 0; j < 11; j++)
            for (long long k = 12; k > 0; k--) add_to_word(&seen[(i * 11 + (int) j) * 12 + 12 - (int) k], 1);
    expect(924);
#pragma omp parallel for collapse(3) schedule(guided)
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 11; j++)
            for (int k = 0; k < 12; k++) add_to_word(&seen[(i * 11 + j) * 12 + k], 1);
    expect(924);
}

static void four(void)
{
#pragma omp parallel for collapse(4) schedule(dynamic)
    for (short i = 0; i < 5; i++)
        for (int j = -2; j < 3; j++)
            for (unsigned char k = 0; k < 5; k++)
                for (long l = 0; l < 5; l++) add_to_word(&seen[((i * 5 + j + 2) * 5 + k) * 5 + (int) l], 1);
    expect(625);
}

static void collapsed_with_loop_inside(void)
{
#pragma omp parallel for collapse(2)
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 10; j++)
            for (int k = 0; k < 10; k++) add_to_word(&seen[(i * 10 + j) * 10 + k], 1);
    expect(1000);
}

static void empty(void)
{
    int nothing = 0;
#pragma omp parallel for collapse(2)
    for (int i = 0; i < 30; i++)
        for (int j = 0; j < nothing; j++) add_to_word(&seen[0], 1);
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int i = 0; i < nothing; i++)
        for (int j = 0; j < 30; j++) add_to_word(&seen[0], 1);
#pragma omp parallel for collapse(3) schedule(static, 4)
    for (int i = 0; i < 30; i++)
        for (int j = 5; j < nothing; j++)
            for (int k = 0; k < 30; k++) add_to_word(&seen[0], 1);
    expect(0);
}

static void lastprivate_and_sums(void)
{
    int last = -1, sum = 0, i = 100, j = 100;
#pragma omp parallel for collapse(2) lastprivate(last) reduction(+ : sum) schedule(dynamic, 3)
    for (i = 0; i < 20; i++)
        for (j = 0; j < 30; j++) {
            last = 100 * i + j;
            sum += last;
        }
    CHECK_EQUAL(last, 1929);
    CHECK_EQUAL(sum, 20 * 30 / 2 * 1929);
#pragma omp parallel for collapse(2) lastprivate(i, j)
    for (i = 0; i < 20; i++)
        for (j = 0; j < 30; j += 7) sum++;
    CHECK_EQUAL(i, 20);
    CHECK_EQUAL(j, 35);
}

static void ordered(void)
{
    int next = 0, wrong = 0;
#pragma omp parallel for collapse(2) ordered schedule(dynamic)
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 10; j++) {
#pragma omp ordered
            if (next++ != 10 * i + j) wrong++;
        }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(next, 100);
}

static void more_than_32_bits(void)
{
    unsigned long long sum = 0;
    long long large = 3000000000LL;
#pragma omp parallel for collapse(2) reduction(+ : sum) schedule(static)
    for (long long i = 0; i < large; i += 100000000)
        for (int j = 0; j < 1000; j++) sum += (unsigned long long) i / 100000000 + (unsigned) j;
    CHECK_EQUAL(sum, 30ull * 499500 + 435ull * 1000);
}

int main(void)
{
    RUN(two);
    RUN(three);
    RUN(four);
    RUN(collapsed_with_loop_inside);
    RUN(empty);
    RUN(lastprivate_and_sums);
    RUN(ordered);
    RUN(more_than_32_bits);
    return finish();
}
