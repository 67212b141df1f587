/* Kernels with OpenMP: for each prints its name, seconds with one thread, with two, and a checksum. Times are the least of
 * some repetitions, those of one thread and of two in turns. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { GEMM = 320, GRID = 700, SWEEPS = 10, PICTURE = 320, INTERVALS = 6000000, ROWS = 8000, EACH = 12, QUEENS = 10 };

static double a[GEMM][GEMM], b[GEMM][GEMM], c[GEMM][GEMM], field[GRID][GRID], next[GRID][GRID];
static double values[ROWS][EACH], from[ROWS], to[ROWS];
static int columns[ROWS][EACH];

static double gemm(void)
{
#pragma omp parallel for
    for (int i = 0; i < GEMM; i++) {
        for (int j = 0; j < GEMM; j++) c[i][j] = 0;
        for (int k = 0; k < GEMM; k++)
            for (int j = 0; j < GEMM; j++) c[i][j] += a[i][k] * b[k][j];
    }
    return c[17][23];
}

static double jacobi(void)
{
    for (int i = 0; i < GRID; i++)
        for (int j = 0; j < GRID; j++) field[i][j] = next[i][j] = i == 0;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
#pragma omp parallel
        {
#pragma omp for
            for (int i = 1; i < GRID - 1; i++)
                for (int j = 1; j < GRID - 1; j++)
                    next[i][j] = 0.25 * (field[i - 1][j] + field[i + 1][j] + field[i][j - 1] + field[i][j + 1]);
#pragma omp for
            for (int i = 1; i < GRID - 1; i++)
                for (int j = 1; j < GRID - 1; j++)
                    field[i][j] = 0.25 * (next[i - 1][j] + next[i + 1][j] + next[i][j - 1] + next[i][j + 1]);
        }
    }
    return field[3][GRID / 2];
}

static double mandelbrot(void)
{
    long long total = 0;
#pragma omp parallel for schedule(dynamic, 2) reduction(+ : total)
    for (int row = 0; row < PICTURE; row++)
        for (int column = 0; column < PICTURE; column++) {
            double real = column * 3.0 / PICTURE - 2, imaginary = row * 2.0 / PICTURE - 1, x = 0, y = 0;
            int steps = 0;
            while (steps < 200 && x * x + y * y < 4) {
                double new_x = x * x - y * y + real;
                y = 2 * x * y + imaginary;
                x = new_x;
                steps++;
            }
            total += steps;
        }
    return (double) total;
}

static double pi(void)
{
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < INTERVALS; i++) {
        double x = (i + 0.5) / INTERVALS;
        sum += 4 / (1 + x * x);
    }
    return sum / INTERVALS;
}

static double sparse(void)
{
    for (int times = 0; times < 50; times++) {
#pragma omp parallel for schedule(static)
        for (int row = 0; row < ROWS; row++) {
            double sum = 0;
            for (int k = 0; k < EACH; k++) sum += values[row][k] * from[columns[row][k]];
            to[row] = sum + times;
        }
    }
    return to[7];
}

static int place(int row, unsigned taken, unsigned left, unsigned right)
{
    if (row == QUEENS) return 1;
    int total = 0, found[QUEENS] = {0};
    for (int column = 0; column < QUEENS; column++) {
        unsigned bit = 1u << column;
        if ((taken | left | right) & bit) continue;
        if (row < 4) {
#pragma omp task shared(found) firstprivate(column, bit)
            found[column] = place(row + 1, taken | bit, (left | bit) << 1, (right | bit) >> 1);
        } else {
            total += place(row + 1, taken | bit, (left | bit) << 1, (right | bit) >> 1);
        }
    }
    if (row < 4) {
#pragma omp taskwait
        for (int column = 0; column < QUEENS; column++) total += found[column];
    }
    return total;
}

static double queens(void)
{
    int total = 0;
#pragma omp parallel
#pragma omp single
    total = place(0, 0, 0, 0);
    return total;
}

static void measure(const char *name, double (*kernel)(void), int repetitions)
{
    double least[2] = {1e9, 1e9}, results[2] = {0};
    for (int repetition = 0; repetition <= repetitions; repetition++)
        for (int two = 0; two < 2; two++) {
            omp_set_num_threads(two + 1);
            double start = omp_get_wtime();
            results[two] = kernel();
            double elapsed = omp_get_wtime() - start;
            if (repetition && elapsed < least[two]) least[two] = elapsed;
        }
    if (fabs(results[0] - results[1]) > 1e-9 * fabs(results[0])) printf("%s differs: %g %g\n", name, results[0], results[1]);
    printf("%s %.6f %.6f %.9g\n", name, least[0], least[1], results[1]);
}

int main(void)
{
    omp_set_dynamic(0);
    for (int i = 0; i < GEMM; i++)
        for (int j = 0; j < GEMM; j++) a[i][j] = i - j, b[i][j] = (i + 2 * j) % 7;
    for (int row = 0; row < ROWS; row++) {
        from[row] = 1.0 / (row + 1);
        for (int k = 0; k < EACH; k++) {
            columns[row][k] = (int) ((row * 7LL + k * 1009LL * (row % 13)) % ROWS);
            values[row][k] = k + 1;
        }
    }
    measure("gemm", gemm, 5);
    measure("jacobi", jacobi, 5);
    measure("mandelbrot", mandelbrot, 5);
    measure("pi", pi, 5);
    measure("sparse", sparse, 5);
    measure("queens", queens, 5);
    return 0;
}
