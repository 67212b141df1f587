/* Conjugate gradients on a matrix with five diagonals, rows split among ranks: prints a checksum and the CPU seconds of
 * the loop, all ranks. Two reductions and an exchange for little work: the share of MPI is large. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

static int rank, size, rows, width;

static double dot(const double *a, const double *b)
{
    double own = 0, all;
    for (int i = 0; i < rows * width; i++) own += a[i] * b[i];
    MPI_Allreduce(&own, &all, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return all;
}

static void multiply(double *p, double *q)
{
    MPI_Request requests[4];
    int up = rank ? rank - 1 : MPI_PROC_NULL, down = rank < size - 1 ? rank + 1 : MPI_PROC_NULL;
    MPI_Irecv(p - width, width, MPI_DOUBLE, up, 0, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(p + rows * width, width, MPI_DOUBLE, down, 1, MPI_COMM_WORLD, &requests[1]);
    MPI_Isend(p, width, MPI_DOUBLE, up, 1, MPI_COMM_WORLD, &requests[2]);
    MPI_Isend(p + (rows - 1) * width, width, MPI_DOUBLE, down, 0, MPI_COMM_WORLD, &requests[3]);
    MPI_Waitall(4, requests, MPI_STATUSES_IGNORE);
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < width; x++) {
            int i = y * width + x;
            q[i] = 4.01 * p[i] - p[i - width] - p[i + width] - (x ? p[i - 1] : 0) - (x < width - 1 ? p[i + 1] : 0);
        }
}

static double *vector(void) { return (double *) calloc((size_t) ((rows + 2) * width), sizeof(double)) + width; }

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    width = argc > 1 ? atoi(argv[1]) : 256;
    rows = width / size;
    int steps = argc > 2 ? atoi(argv[2]) : 1000;
    double *x = vector(), *r = vector(), *p = vector(), *q = vector();
    for (int i = 0; i < rows * width; i++) p[i] = r[i] = 1;
    double start = cpu_seconds();
    double rho = dot(r, r);
    for (int step = 0; step < steps; step++) {
        multiply(p, q);
        double alpha = rho / dot(p, q);
        for (int i = 0; i < rows * width; i++) x[i] += alpha * p[i], r[i] -= alpha * q[i];
        double before = rho;
        rho = dot(r, r);
        for (int i = 0; i < rows * width; i++) p[i] = r[i] + rho / before * p[i];
    }
    double cpu = cpu_seconds() - start, total;
    MPI_Reduce(&cpu, &total, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) printf("%.17g %.9f\n", sqrt(rho), total);
    MPI_Finalize();
    return 0;
}
