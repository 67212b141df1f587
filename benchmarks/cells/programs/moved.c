/* Two ranks that exchange a message all the time, one of which holds so many MiB and writes all of it now and then.
 * Prints "ready" when it begins, and the longest time between two messages: the pause of a move, as the program sees it. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int rank, moved = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    size_t count = (size_t) atoi(argv[1]) * (1 << 20) / sizeof(double);
    double seconds = atof(argv[2]), longest = 0, *memory = malloc(count * sizeof *memory);
    for (size_t i = 0; rank == 1 && i < count; i++) memory[i] = (double) i + 0.5;
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 1) puts("ready"), fflush(stdout);
    double start = MPI_Wtime(), last = start;
    for (int on = 1; on;) {
        on = last - start < seconds;
        MPI_Bcast(&on, 1, MPI_INT, 0, MPI_COMM_WORLD);
        MPI_Barrier(MPI_COMM_WORLD);
        double now = MPI_Wtime();
        if (now - last > longest) longest = now - last;
        last = now;
    }
    for (size_t i = 0; rank == 1 && i < count; i++) moved += memory[i] != (double) i + 0.5;
    if (rank == 1) printf("%d %.9f\n", moved, longest);
    MPI_Finalize();
    return moved;
}
