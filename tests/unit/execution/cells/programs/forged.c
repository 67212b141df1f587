/* Asks the host for wires as only the library should, with what is wrong; the last rank does it, the others wait. */
#include "check.h"

#define HOST(name) __attribute__((import_module("eco"), import_name(name)))
HOST("wire") void host_wire(int peer, unsigned to, unsigned from, unsigned ring_bytes);
HOST("pump") void host_pump(int peer);
HOST("poll") int host_poll(void);
HOST("settled") int host_settled(void);

static _Alignas(64) char rings[2][128 + 4096];

static unsigned address(int ring) { return (unsigned) (unsigned long) rings[ring]; }

static void forge(const char *how)
{
    if (!strcmp(how, "wire")) host_wire(0, address(0), address(1), 4096);
    if (!strcmp(how, "outside")) host_wire(0, address(0), 0xfffff000u, 4096);
    if (!strcmp(how, "crooked")) host_wire(0, address(0), address(1), 4095);
    if (!strcmp(how, "self")) host_wire(rank, address(0), address(1), 4096);
    if (!strcmp(how, "nobody")) host_wire(99, address(0), address(1), 4096);
    if (!strcmp(how, "pump")) host_pump(0);
    if (!strcmp(how, "pump nobody")) host_pump(99);
    if (!strcmp(how, "poll")) host_poll();
    if (!strcmp(how, "settled")) host_settled();
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    if (rank == size - 1) forge(argv[1]);
    MPI_Recv(&wrong, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return end();
}
