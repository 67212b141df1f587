/* The ways in which a rank can end, chosen by the first argument; rank 1 does it, the others wait for a message. */
#include "check.h"

static int recurse(int n)
{
    volatile char room[4096];
    room[n % 4096] = 1;
    return n < 0 ? 0 : recurse(n + 1) + room[0];
}

/* What only the library should call: a cell that calls it itself must not get anywhere. */
__attribute__((import_module("eco"), import_name("map"))) int host_map(void *address, unsigned bytes);
__attribute__((import_module("eco"), import_name("shared_bytes"))) unsigned host_shared_bytes(void);
__attribute__((import_module("eco"), import_name("wake"))) void host_wake(void *address);

static void misbehave(const char *how)
{
    volatile int *nowhere = (int *) 0xfffffff0u;
    if (!strcmp(how, "abort")) MPI_Abort(MPI_COMM_WORLD, 42);
    if (!strcmp(how, "exit")) exit(7);
    if (!strcmp(how, "bounds")) *nowhere = 1;
    if (!strcmp(how, "stack")) exit(recurse(0));
    if (!strcmp(how, "unreachable")) __builtin_trap();
    if (!strcmp(how, "map again")) host_map((void *) 0, host_shared_bytes());
    if (!strcmp(how, "wake elsewhere")) host_wake(&wrong);
    if (!strcmp(how, "truncate")) {
        MPI_Request request;
        MPI_Isend("abcd", 4, MPI_CHAR, rank, 0, MPI_COMM_WORLD, &request);
        MPI_Recv(&rank, 1, MPI_CHAR, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    for (;;) continue;
}

int main(int argc, char **argv)
{
    if (!strcmp(argv[1], "map outside")) host_map((void *) 0xffff0000u, host_shared_bytes());
    begin(&argc, &argv);
    if (rank == 1) misbehave(argv[1]);
    MPI_Recv(&wrong, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return end();
}
