/* Times of messages: `messages ping BYTES REPEATS`, `allreduce DOUBLES REPEATS` or `halo BYTES REPEATS`.
 * Rank 0 prints microseconds: half a round trip, one allreduce, one exchange with both neighbours. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size;

static void ping(char *buffer, int bytes)
{
    if (rank > 1) return;
    for (int turn = 0; turn < 2; turn++) {
        if (turn == rank)
            MPI_Send(buffer, bytes, MPI_BYTE, !rank, 0, MPI_COMM_WORLD);
        else
            MPI_Recv(buffer, bytes, MPI_BYTE, !rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
}

static void halo(char *buffer, int bytes)
{
    int left = (rank + size - 1) % size, right = (rank + 1) % size;
    MPI_Request requests[4];
    MPI_Irecv(buffer, bytes, MPI_BYTE, left, 0, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(buffer + bytes, bytes, MPI_BYTE, right, 1, MPI_COMM_WORLD, &requests[1]);
    MPI_Isend(buffer + 2 * bytes, bytes, MPI_BYTE, right, 0, MPI_COMM_WORLD, &requests[2]);
    MPI_Isend(buffer + 3 * bytes, bytes, MPI_BYTE, left, 1, MPI_COMM_WORLD, &requests[3]);
    MPI_Waitall(4, requests, MPI_STATUSES_IGNORE);
}

static void once(const char *what, char *buffer, int amount)
{
    if (what[0] == 'p')
        ping(buffer, amount);
    else if (what[0] == 'h')
        halo(buffer, amount);
    else
        MPI_Allreduce(buffer, buffer + 8 * (size_t) amount, amount, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const char *what = argv[1];
    int amount = atoi(argv[2]), repeats = atoi(argv[3]);
    size_t room = (size_t) amount * 16 + 64;
    char *buffer = malloc(room);
    memset(buffer, 0, room);
    for (int i = 0; i < repeats / 10 + 2; i++) once(what, buffer, amount);
    MPI_Barrier(MPI_COMM_WORLD);
    double began = MPI_Wtime();
    for (int i = 0; i < repeats; i++) once(what, buffer, amount);
    double took = (MPI_Wtime() - began) / repeats * 1e6;
    if (rank == 0) printf("%.4f\n", what[0] == 'p' ? took / 2 : took);
    MPI_Finalize();
    return 0;
}
