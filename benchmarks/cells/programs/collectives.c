/* Times collectives: prints one line for each, its name, the bytes of a rank's block, and microseconds a call. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST (1 << 20)

static char *out, *in;
static int ranks;

static void call(int which, int bytes)
{
    int doubles = bytes / 8;
    switch (which) {
    case 0: MPI_Barrier(MPI_COMM_WORLD); break;
    case 1: MPI_Bcast(out, bytes, MPI_BYTE, 0, MPI_COMM_WORLD); break;
    case 2: MPI_Gather(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, 0, MPI_COMM_WORLD); break;
    case 3: MPI_Scatter(in, bytes, MPI_BYTE, out, bytes, MPI_BYTE, 0, MPI_COMM_WORLD); break;
    case 4: MPI_Allgather(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, MPI_COMM_WORLD); break;
    case 5: MPI_Alltoall(in, bytes, MPI_BYTE, in + (size_t) ranks * bytes, bytes, MPI_BYTE, MPI_COMM_WORLD); break;
    case 6: MPI_Reduce(out, in, doubles, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD); break;
    case 7: MPI_Allreduce(out, in, doubles, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD); break;
    }
}

static double time_of(int which, int bytes, int repeats)
{
    for (int i = 0; i < repeats / 10 + 1; i++) call(which, bytes);
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < repeats; i++) call(which, bytes);
    MPI_Barrier(MPI_COMM_WORLD);
    return (MPI_Wtime() - start) / repeats * 1e6;
}

int main(int argc, char **argv)
{
    const char *names[] = {"barrier", "bcast", "gather", "scatter", "allgather", "alltoall", "reduce", "allreduce"};
    int rank, sizes[] = {8, 1024, 32768, MOST / 4};
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    out = calloc(1, MOST);
    in = calloc(2 * ranks, MOST / 4);
    for (int which = 0; which < 8; which++)
        for (int s = 0; s < (which ? 4 : 1); s++) {
            double time = time_of(which, sizes[s], sizes[s] < 10000 ? 300 : 20);
            if (rank == 0) printf("%s %d %.3f\n", names[which], which ? sizes[s] : 0, time);
        }
    MPI_Finalize();
    return 0;
}
