/* Test programs count what is wrong on every rank, and rank 0 says "ok" if nothing was. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size, wrong;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition) && ++wrong < 10)                                                                              \
            printf("rank %d of %d, line %d: not %s\n", rank, size, __LINE__, #condition);                               \
    } while (0)

static inline void begin(int *argc, char ***argv)
{
    MPI_Init(argc, argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
}

static inline int end(void)
{
    int all;
    fflush(stdout);
    MPI_Allreduce(&wrong, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0) printf(all ? "%d wrong\n" : "ok\n", all);
    MPI_Finalize();
    return all ? 1 : 0;
}
