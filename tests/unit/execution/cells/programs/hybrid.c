/* Threads in ranks: thread-local counters and sums that show whether a thread was lost, or began anew, by a move. */
#include <mpi.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3, CELLS = 3000 };

static int regions_of_mine;
#pragma omp threadprivate(regions_of_mine)

static double field[CELLS];

static void step(int rank)
{
#pragma omp parallel num_threads(THREADS)
    {
        regions_of_mine++;
#pragma omp for schedule(dynamic, 64)
        for (int i = 0; i < CELLS; i++)
            field[i] = field[i] * 0.75 + rank + i * 1e-3;
    }
}

/* How many regions each thread has seen, which is the same for all if none was replaced. */
static int all_have_seen(int regions)
{
    int right = 0;
#pragma omp parallel num_threads(THREADS) reduction(+ : right)
    right += regions_of_mine == regions;
    return right == THREADS;
}

int main(int argc, char **argv)
{
    int rank, level, steps = argc > 1 ? atoi(argv[1]) : 100;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    double sum = 0, total = 0;
    for (int at = 0; at < steps; at++) {
        step(rank);
#pragma omp parallel num_threads(THREADS)
        {
            if (argc > 2 && !strcmp(argv[2], "exit") && omp_get_thread_num() == 1 && at == steps / 2)
                exit(0);
            if (argc > 2 && !strcmp(argv[2], "exit") && omp_get_thread_num() == 0 && at == steps / 2)
                for (volatile double work = 1;; work *= 1.5)
                    ;
#pragma omp master
            if (argc > 2 && !strcmp(argv[2], "inside")) {
                MPI_Allreduce(&field[7], &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
                total += sum;
            }
        }
        MPI_Allreduce(&field[at % CELLS], &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
        total += sum;
    }
    int right = all_have_seen(steps), all = 0;
    MPI_Allreduce(&right, &all, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    if (rank == 0)
        printf("level %d, threads %s, total %.17g\n", level == MPI_THREAD_FUNNELED, all ? "kept" : "lost", total);
    MPI_Finalize();
    return 0;
}
