/* A Jacobi iteration on a square, split in stripes; prints a checksum and the CPU seconds of the loop, all ranks. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

static int rank, size;

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int n = argc > 1 ? atoi(argv[1]) : 512, steps = argc > 2 ? atoi(argv[2]) : 400, rows = n / size;
    double *now = calloc((size_t) (rows + 2) * (size_t) n, sizeof *now), *next = calloc((size_t) (rows + 2) * n, sizeof *now);
    for (int i = 0; i < n; i++) now[i] = next[i] = rank ? 0 : 1;
    int up = rank ? rank - 1 : MPI_PROC_NULL, down = rank < size - 1 ? rank + 1 : MPI_PROC_NULL;
    double start = cpu_seconds();
    double change = 0;
    for (int step = 0; step < steps; step++) {
        MPI_Sendrecv(now + n, n, MPI_DOUBLE, up, 0, now + (rows + 1) * n, n, MPI_DOUBLE, down, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        MPI_Sendrecv(now + rows * n, n, MPI_DOUBLE, down, 0, now, n, MPI_DOUBLE, up, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        double own = 0;
        for (int y = 1; y <= rows; y++)
            for (int x = 1; x < n - 1; x++) {
                double value = 0.25 * (now[y * n + x - 1] + now[y * n + x + 1] + now[(y - 1) * n + x] + now[(y + 1) * n + x]);
                own += (value - now[y * n + x]) * (value - now[y * n + x]);
                next[y * n + x] = value;
            }
        double *swap = now;
        now = next;
        next = swap;
        if (step % 10 == 0) MPI_Allreduce(&own, &change, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    }
    double cpu = cpu_seconds() - start, total;
    MPI_Reduce(&cpu, &total, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) printf("%.17g %.9f\n", change, total);
    MPI_Finalize();
    return 0;
}
