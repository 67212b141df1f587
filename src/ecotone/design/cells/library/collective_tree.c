/* Small blocks among many ranks: trees and doubling rounds, where otherwise each would talk to each. What travels is
 * bytes, in the order of places: place 0 is the root (or, without a root, this rank), and so on round. */
#include "collective.h"

static int place_of(const struct eco_comm *comm, int root)
{
    int size = comm_size(comm);
    return (comm->rank - root + size) % size;
}

static int rank_at(const struct eco_comm *comm, int place, int root) { return (place + root) % comm_size(comm); }

int tree_span(const struct eco_comm *comm, int root)
{
    int size = comm_size(comm), place = place_of(comm, root), lowest = place ? place & -place : size;
    return lowest < size - place ? lowest : size - place;
}

void add_gather_tree(struct schedule *schedule, struct eco_comm *comm, char *blocks, int each, int root)
{
    int size = comm_size(comm), place = place_of(comm, root), mask = 1;
    for (; mask < size && !(place & mask); mask *= 2) {
        if (place + mask >= size) continue;
        int child = rank_at(comm, place + mask, root), left = size - place - mask, count = mask < left ? mask : left;
        schedule_receive(schedule, blocks + (size_t) mask * each, count * each, MPI_BYTE, child);
    }
    schedule_then(schedule);
    if (place)
        schedule_send(schedule, blocks, tree_span(comm, root) * each, MPI_BYTE, rank_at(comm, place - mask, root));
    schedule_then(schedule);
}

void add_scatter_tree(struct schedule *schedule, struct eco_comm *comm, char *blocks, int each, int root)
{
    int size = comm_size(comm), place = place_of(comm, root), mask = 1;
    for (; mask < size && !(place & mask); mask *= 2) continue;
    if (place)
        schedule_receive(schedule, blocks, tree_span(comm, root) * each, MPI_BYTE, rank_at(comm, place - mask, root));
    schedule_then(schedule);
    for (mask /= 2; mask; mask /= 2) {
        if (place + mask >= size) continue;
        int child = rank_at(comm, place + mask, root), left = size - place - mask, count = mask < left ? mask : left;
        schedule_send(schedule, blocks + (size_t) mask * each, count * each, MPI_BYTE, child);
    }
    schedule_then(schedule);
}

/* After a round of `known` blocks a rank knows twice as many: its own and those of the ranks behind it (Bruck). */
void add_allgather_rounds(struct schedule *schedule, struct eco_comm *comm, char *blocks, int each)
{
    int size = comm_size(comm);
    for (int known = 1; known < size; known *= 2) {
        int more = known < size - known ? known : size - known;
        schedule_send(schedule, blocks, more * each, MPI_BYTE, (comm->rank - known + size) % size);
        schedule_receive(schedule, blocks + (size_t) known * each, more * each, MPI_BYTE, (comm->rank + known) % size);
        schedule_then(schedule);
    }
}
