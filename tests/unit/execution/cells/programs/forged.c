/* Asks the host for what only the library should, with what is wrong; the last rank does it, the others wait. */
#include "check.h"

#define HOST(name) __attribute__((import_module("eco"), import_name(name)))
HOST("wire") void host_wire(int peer, unsigned to, unsigned from, unsigned ring_bytes);
HOST("pump") void host_pump(int peer);
HOST("poll") int host_poll(void);
HOST("settled") int host_settled(void);
HOST("share") void host_share(unsigned start, unsigned page, unsigned bytes);
HOST("unshare") void host_unshare(unsigned start);

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
    unsigned own = (unsigned) __builtin_wasm_memory_grow(0, 3) << 16; /* three pages, the last ones */
    if (!strcmp(how, "share crooked")) host_share(own + 4096, 0, 65536);
    if (!strcmp(how, "share part")) host_share(own, 0, 100);
    if (!strcmp(how, "share nothing")) host_share(own, 0, 0);
    if (!strcmp(how, "share outside")) host_share(own + 65536, 0, 3 * 65536);
    if (!strcmp(how, "share beyond")) host_share(own, 2 * 65536 - 1, 2 * 65536);
    if (!strcmp(how, "share rings")) host_share(65536, 0, own - 65536);
    if (!strcmp(how, "share twice")) {
        host_share(own, 0, 2 * 65536);
        host_share(own + 65536, 8, 2 * 65536);
    }
    if (!strcmp(how, "unshare")) host_unshare(own);
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    if (rank == size - 1) forge(argv[1]);
    MPI_Recv(&wrong, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return end();
}
