/* Collectives among the neighbours of a topology: one round of messages along its edges. */
#include "collective.h"

/* One block for each neighbour; `step` elements apart if there are no places, which are elements or (w) bytes. */
struct edges {
    void *buffer;
    int count, step;
    struct eco_type *type;
    const int *counts, *places;
    const MPI_Aint *addresses;
    struct eco_type *const *types;
};

static struct eco_type *edge_type(const struct edges *edges, int i) { return edges->types ? edges->types[i] : edges->type; }
static int edge_count(const struct edges *edges, int i) { return edges->counts ? edges->counts[i] : edges->count; }
static void *edge_at(const struct edges *edges, int i)
{
    if (edges->addresses) return (char *) edges->buffer + edges->addresses[i];
    return element_at(edges->buffer, edges->places ? edges->places[i] : (MPI_Aint) i * edges->step, edges->type);
}

static int check_edges(const struct edges *edges, int count)
{
    for (int i = 0; i < count; i++) CHECK(check_data(edges->buffer, edge_count(edges, i), edge_type(edges, i)));
    return MPI_SUCCESS;
}

/* On a grid, what goes down in a dimension comes from above: with two or one in a period both are the same rank. */
static int slot(const struct eco_comm *comm, int i, bool sending)
{
    if (comm->topology->kind != TOPOLOGY_CART) return 0;
    return (sending ? i : i ^ 1) % 64;
}

static int add_neighbours(struct schedule *schedule, const struct edges *send, const struct edges *receive,
                          MPI_Comm comm)
{
    if (!comm->topology) return MPI_ERR_TOPOLOGY;
    int *in, *out, in_count = topology_sources(comm, &in), out_count = topology_targets(comm, &out);
    int code = check_edges(receive, in_count);
    if (!code) code = check_edges(send, out_count);
    for (int i = 0; i < in_count && !code; i++) {
        schedule_slot(schedule, slot(comm, i, false));
        schedule_receive(schedule, edge_at(receive, i), edge_count(receive, i), edge_type(receive, i), in[i]);
    }
    for (int i = 0; i < out_count && !code; i++) {
        schedule_slot(schedule, slot(comm, i, true));
        schedule_send(schedule, edge_at(send, i), edge_count(send, i), edge_type(send, i), out[i]);
    }
    free(in);
    free(out);
    return code;
}

static int build_Neighbor_allgather(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                                    void *receive, int receive_count, MPI_Datatype receive_type, MPI_Comm comm)
{
    struct edges from = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct edges to = {.buffer = receive, .count = receive_count, .step = receive_count, .type = receive_type};
    return add_neighbours(schedule, &from, &to, comm);
}
COLLECTIVE(Neighbor_allgather, Ineighbor_allgather,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, int receive_count,
                      MPI_Datatype receive_type, MPI_Comm comm),
           send, send_count, send_type, receive, receive_count, receive_type, comm)

static int build_Neighbor_allgatherv(struct schedule *schedule, const void *send, int send_count,
                                     MPI_Datatype send_type, void *receive, const int *counts, const int *places,
                                     MPI_Datatype receive_type, MPI_Comm comm)
{
    struct edges from = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct edges to = {.buffer = receive, .counts = counts, .places = places, .type = receive_type};
    return add_neighbours(schedule, &from, &to, comm);
}
COLLECTIVE(Neighbor_allgatherv, Ineighbor_allgatherv,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, const int *counts,
                      const int *places, MPI_Datatype receive_type, MPI_Comm comm),
           send, send_count, send_type, receive, counts, places, receive_type, comm)

static int build_Neighbor_alltoall(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                                   void *receive, int receive_count, MPI_Datatype receive_type, MPI_Comm comm)
{
    struct edges from = {.buffer = (void *) send, .count = send_count, .step = send_count, .type = send_type};
    struct edges to = {.buffer = receive, .count = receive_count, .step = receive_count, .type = receive_type};
    return add_neighbours(schedule, &from, &to, comm);
}
COLLECTIVE(Neighbor_alltoall, Ineighbor_alltoall,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, int receive_count,
                      MPI_Datatype receive_type, MPI_Comm comm),
           send, send_count, send_type, receive, receive_count, receive_type, comm)

static int build_Neighbor_alltoallv(struct schedule *schedule, const void *send, const int *send_counts,
                                    const int *send_places, MPI_Datatype send_type, void *receive,
                                    const int *receive_counts, const int *receive_places, MPI_Datatype receive_type,
                                    MPI_Comm comm)
{
    struct edges from = {.buffer = (void *) send, .counts = send_counts, .places = send_places, .type = send_type};
    struct edges to = {.buffer = receive, .counts = receive_counts, .places = receive_places, .type = receive_type};
    return add_neighbours(schedule, &from, &to, comm);
}
COLLECTIVE(Neighbor_alltoallv, Ineighbor_alltoallv,
           PARAMETERS(const void *send, const int *send_counts, const int *send_places, MPI_Datatype send_type,
                      void *receive, const int *receive_counts, const int *receive_places, MPI_Datatype receive_type,
                      MPI_Comm comm),
           send, send_counts, send_places, send_type, receive, receive_counts, receive_places, receive_type, comm)

static int build_Neighbor_alltoallw(struct schedule *schedule, const void *send, const int *send_counts,
                                    const MPI_Aint *send_places, const MPI_Datatype *send_types, void *receive,
                                    const int *receive_counts, const MPI_Aint *receive_places,
                                    const MPI_Datatype *receive_types, MPI_Comm comm)
{
    struct edges from = {
        .buffer = (void *) send, .counts = send_counts, .addresses = send_places, .types = send_types};
    struct edges to = {
        .buffer = receive, .counts = receive_counts, .addresses = receive_places, .types = receive_types};
    return add_neighbours(schedule, &from, &to, comm);
}
COLLECTIVE(Neighbor_alltoallw, Ineighbor_alltoallw,
           PARAMETERS(const void *send, const int *send_counts, const MPI_Aint *send_places,
                      const MPI_Datatype *send_types, void *receive, const int *receive_counts,
                      const MPI_Aint *receive_places, const MPI_Datatype *receive_types, MPI_Comm comm),
           send, send_counts, send_places, send_types, receive, receive_counts, receive_places, receive_types, comm)
