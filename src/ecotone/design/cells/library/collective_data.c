/* Collectives that move data: barrier, broadcast, gather, scatter, allgather, all-to-all. */
#include "collective.h"

unsigned collective_large_bytes = 65536;

/* ---- Barrier ---- */

/* Dissemination: after round k a rank has heard, through others, from 2^k ranks before it. */
static void add_barrier(struct schedule *schedule, struct eco_comm *via)
{
    int size = comm_size(via), rank = via->rank;
    for (int distance = 1; distance < size; distance *= 2) {
        schedule_send(schedule, NULL, 0, MPI_BYTE, (rank + distance) % size);
        schedule_receive(schedule, NULL, 0, MPI_BYTE, (rank - distance + size) % size);
        schedule_then(schedule);
    }
}

static int build_Barrier(struct schedule *schedule, MPI_Comm comm)
{
    if (!comm_is_inter(comm)) {
        add_barrier(schedule, comm);
        return MPI_SUCCESS;
    }
    schedule_within(schedule, true);
    add_barrier(schedule, comm->within);
    schedule_then(schedule);
    schedule_within(schedule, false);
    if (comm->rank == 0) {
        schedule_send(schedule, NULL, 0, MPI_BYTE, 0);
        schedule_receive(schedule, NULL, 0, MPI_BYTE, 0);
    }
    schedule_then(schedule);
    schedule_within(schedule, true);
    add_bcast(schedule, comm->within, NULL, 0, MPI_BYTE, 0);
    return MPI_SUCCESS;
}
COLLECTIVE(Barrier, Ibarrier, PARAMETERS(MPI_Comm comm), comm)

/* ---- Broadcast ---- */

static void add_tree(struct schedule *schedule, struct eco_comm *via, void *buffer, int count, struct eco_type *type,
                     int root)
{
    int size = comm_size(via), place = (via->rank - root + size) % size, mask = 1;
    for (; mask < size && !(place & mask); mask *= 2) continue;
    if (place) {
        schedule_receive(schedule, buffer, count, type, (place - mask + root) % size);
        schedule_then(schedule);
    }
    for (mask /= 2; mask; mask /= 2)
        if (place + mask < size) schedule_send(schedule, buffer, count, type, (place + mask + root) % size);
    schedule_then(schedule);
}

/* Where a piece of `bytes` begins that is cut into `size` almost equal ones, on multiples of 64. */
static size_t piece_start(int piece, size_t bytes, int size)
{
    unsigned long long each = ((bytes + (unsigned long long) size - 1) / (unsigned) size + 63) & ~63ull;
    unsigned long long start = (unsigned) piece * each;
    return start < bytes ? (size_t) start : bytes;
}

/* Large broadcasts: the root deals out pieces, and then they go round in a ring; nobody sends more than twice the data. */
static void add_ring(struct schedule *schedule, struct eco_comm *via, char *data, size_t bytes, int root)
{
    int size = comm_size(via), place = (via->rank - root + size) % size;
    int next = (via->rank + 1) % size, previous = (via->rank - 1 + size) % size;
#define PIECE(i)                                                                                                       \
    data + piece_start(i, bytes, size), (int) (piece_start((i) + 1, bytes, size) - piece_start(i, bytes, size))
    if (place == 0)
        for (int i = 1; i < size; i++) schedule_send(schedule, PIECE(i), MPI_BYTE, (root + i) % size);
    else
        schedule_receive(schedule, PIECE(place), MPI_BYTE, root);
    schedule_then(schedule);
    for (int round = 0; round < size - 1; round++) {
        schedule_send(schedule, PIECE((place - round + size) % size), MPI_BYTE, next);
        schedule_receive(schedule, PIECE((place - round - 1 + 2 * size) % size), MPI_BYTE, previous);
        schedule_then(schedule);
    }
#undef PIECE
}

void add_bcast(struct schedule *schedule, struct eco_comm *via, void *buffer, int count, struct eco_type *type,
               int root)
{
    size_t bytes = data_bytes(count, type);
    /* A tree makes fewer copies; in a ring nobody has to send more than two. */
    size_t large = (size_t) collective_large_bytes * (comm_size(via) <= COLLECTIVE_DIRECT ? COLLECTIVE_FEW : 1);
    if (bytes < large || comm_size(via) <= 2) {
        add_tree(schedule, via, buffer, count, type, root);
        return;
    }
    /* Ranks may describe the same data by different types: what goes round is bytes. */
    char *data = type_whole(type) ? (char *) buffer + type->true_lb : schedule_memory(schedule, bytes);
    if (!type_whole(type) && via->rank == root)
        schedule_copy(schedule, buffer, count, type, data, (int) bytes, MPI_BYTE);
    add_ring(schedule, via, data, bytes, root);
    if (!type_whole(type) && via->rank != root)
        schedule_copy(schedule, data, (int) bytes, MPI_BYTE, buffer, count, type);
}

static int build_Bcast(struct schedule *schedule, void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    CHECK(check_root(comm, root));
    CHECK(root == MPI_PROC_NULL ? MPI_SUCCESS : check_data(buffer, count, type));
    if (!comm_is_inter(comm)) {
        add_bcast(schedule, comm, buffer, count, type, root);
    } else if (root == MPI_ROOT) {
        schedule_send(schedule, buffer, count, type, 0);
    } else if (root != MPI_PROC_NULL) {
        if (comm->rank == 0) schedule_receive(schedule, buffer, count, type, root);
        schedule_then(schedule);
        schedule_within(schedule, true);
        add_bcast(schedule, comm->within, buffer, count, type, 0);
    }
    return MPI_SUCCESS;
}
COLLECTIVE(Bcast, Ibcast, PARAMETERS(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm), buffer,
           count, type, root, comm)

/* ---- What all forms with many blocks share ---- */

/* Blocks of a buffer, one for each rank: equal ones, or (v) with counts and places, or (w) with types as well. */
struct blocks {
    void *buffer;
    int count;
    struct eco_type *type;
    const int *counts, *places;
    struct eco_type *const *types; /* with them, places are in bytes */
};

static struct eco_type *block_type(const struct blocks *blocks, int i)
{
    return blocks->types ? blocks->types[i] : blocks->type;
}
static int block_count(const struct blocks *blocks, int i) { return blocks->counts ? blocks->counts[i] : blocks->count; }
static void *block_at(const struct blocks *blocks, int i)
{
    if (blocks->types) return (char *) blocks->buffer + blocks->places[i];
    if (blocks->places) return element_at(blocks->buffer, blocks->places[i], blocks->type);
    return element_at(blocks->buffer, (MPI_Aint) i * blocks->count, blocks->type);
}
static size_t block_bytes(const struct blocks *blocks, int i)
{
    return data_bytes(block_count(blocks, i), block_type(blocks, i));
}

static int check_blocks(const struct blocks *blocks, int size)
{
    if (blocks->counts == NULL && blocks->places == NULL)
        return check_data(blocks->buffer, blocks->count, blocks->type);
    if (!blocks->counts || !blocks->places) return MPI_ERR_ARG;
    for (int i = 0; i < size; i++) CHECK(check_data(blocks->buffer, block_count(blocks, i), block_type(blocks, i)));
    return MPI_SUCCESS;
}

static void send_block(struct schedule *schedule, const struct blocks *blocks, int i, int to)
{
    if (block_bytes(blocks, i))
        schedule_send(schedule, block_at(blocks, i), block_count(blocks, i), block_type(blocks, i), to);
}

static void receive_block(struct schedule *schedule, const struct blocks *blocks, int i, int from)
{
    if (block_bytes(blocks, i))
        schedule_receive(schedule, block_at(blocks, i), block_count(blocks, i), block_type(blocks, i), from);
}

static void copy_block(struct schedule *schedule, const struct blocks *from, int i, const struct blocks *to, int j)
{
    schedule_copy(schedule, block_at(from, i), block_count(from, i), block_type(from, i), block_at(to, j),
                  block_count(to, j), block_type(to, j));
}

/* Few ranks, or large blocks: each pair talks. Many ranks with small blocks: they pass on each other's. All ranks know
 * the same of both, so all decide alike. */
static bool passed_on(const struct blocks *one, const struct eco_comm *comm)
{
    size_t bytes = block_bytes(one, 0);
    return comm_size(comm) > COLLECTIVE_DIRECT && bytes > 0 && bytes <= COLLECTIVE_BLOCK;
}

/* Between a rank's block and bytes that travel. */
static void block_to_bytes(struct schedule *schedule, const struct blocks *blocks, int i, char *bytes)
{
    schedule_copy(schedule, block_at(blocks, i), block_count(blocks, i), block_type(blocks, i), bytes,
                  (int) block_bytes(blocks, i), MPI_BYTE);
}
static void bytes_to_block(struct schedule *schedule, const char *bytes, const struct blocks *blocks, int i)
{
    schedule_copy(schedule, bytes, (int) block_bytes(blocks, i), MPI_BYTE, block_at(blocks, i),
                  block_count(blocks, i), block_type(blocks, i));
}

/* ---- Gather and scatter: the root talks to each rank, or to the first ones of a tree ---- */

/* Between groups: the root has blocks of the other side only. */
static int check_between(const struct blocks *mine, const struct blocks *all, bool at_root, MPI_Comm comm)
{
    if (at_root) return check_blocks(all, comm_remote_size(comm));
    return mine->buffer == MPI_IN_PLACE ? MPI_ERR_BUFFER : check_blocks(mine, 1);
}

/* Checks both ends of a gather or scatter within one group: every rank's own block, and at the root all of them. */
static int check_rooted(const struct blocks *mine, const struct blocks *all, bool at_root, MPI_Comm comm)
{
    if (mine->buffer != MPI_IN_PLACE)
        CHECK(check_blocks(mine, 1));
    else if (!at_root)
        return MPI_ERR_BUFFER;
    return at_root ? check_blocks(all, comm_size(comm)) : MPI_SUCCESS;
}

static void gather_by_tree(struct schedule *schedule, const struct blocks *mine, const struct blocks *all, int root,
                           MPI_Comm comm)
{
    bool at_root = comm->rank == root, in_place = mine->buffer == MPI_IN_PLACE;
    int each = (int) block_bytes(at_root ? all : mine, 0), size = comm_size(comm);
    char *bytes = schedule_memory(schedule, (size_t) tree_span(comm, root) * each);
    block_to_bytes(schedule, in_place ? all : mine, in_place ? root : 0, bytes);
    add_gather_tree(schedule, comm, bytes, each, root);
    for (int i = 0; i < size && at_root; i++) bytes_to_block(schedule, bytes + (size_t) i * each, all, (root + i) % size);
}

static void scatter_by_tree(struct schedule *schedule, const struct blocks *all, const struct blocks *mine, int root,
                            MPI_Comm comm)
{
    bool at_root = comm->rank == root;
    int each = (int) block_bytes(at_root ? all : mine, 0), size = comm_size(comm);
    char *bytes = schedule_memory(schedule, (size_t) tree_span(comm, root) * each);
    for (int i = 0; i < size && at_root; i++) block_to_bytes(schedule, all, (root + i) % size, bytes + (size_t) i * each);
    add_scatter_tree(schedule, comm, bytes, each, root);
    if (mine->buffer != MPI_IN_PLACE) bytes_to_block(schedule, bytes, mine, 0);
}

/* `equal`: all blocks are, and every rank knows how large. */
static int add_gather(struct schedule *schedule, struct blocks mine, struct blocks all, bool equal, int root,
                      MPI_Comm comm)
{
    CHECK(check_root(comm, root));
    bool inter = comm_is_inter(comm), at_root = inter ? root == MPI_ROOT : root == comm->rank;
    if (root == MPI_PROC_NULL) return MPI_SUCCESS;
    CHECK(inter ? check_between(&mine, &all, at_root, comm) : check_rooted(&mine, &all, at_root, comm));
    if (equal && !inter && passed_on(at_root ? &all : &mine, comm)) {
        gather_by_tree(schedule, &mine, &all, root, comm);
        return MPI_SUCCESS;
    }
    if (!at_root) {
        send_block(schedule, &mine, 0, root);
        return MPI_SUCCESS;
    }
    for (int i = 0; i < comm_remote_size(comm); i++)
        if (inter || i != root) receive_block(schedule, &all, i, i);
    if (!inter && mine.buffer != MPI_IN_PLACE) copy_block(schedule, &mine, 0, &all, root);
    return MPI_SUCCESS;
}

static int build_Gather(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                        void *receive, int receive_count, MPI_Datatype receive_type, int root, MPI_Comm comm)
{
    struct blocks mine = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct blocks all = {.buffer = receive, .count = receive_count, .type = receive_type};
    return add_gather(schedule, mine, all, true, root, comm);
}
COLLECTIVE(Gather, Igather,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, int receive_count,
                      MPI_Datatype receive_type, int root, MPI_Comm comm),
           send, send_count, send_type, receive, receive_count, receive_type, root, comm)

static int build_Gatherv(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                         void *receive, const int *counts, const int *places, MPI_Datatype receive_type, int root,
                         MPI_Comm comm)
{
    struct blocks mine = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct blocks all = {.buffer = receive, .type = receive_type, .counts = counts, .places = places};
    return add_gather(schedule, mine, all, false, root, comm);
}
COLLECTIVE(Gatherv, Igatherv,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, const int *counts,
                      const int *places, MPI_Datatype receive_type, int root, MPI_Comm comm),
           send, send_count, send_type, receive, counts, places, receive_type, root, comm)

static int add_scatter(struct schedule *schedule, struct blocks all, struct blocks mine, bool equal, int root,
                       MPI_Comm comm)
{
    CHECK(check_root(comm, root));
    bool inter = comm_is_inter(comm), at_root = inter ? root == MPI_ROOT : root == comm->rank;
    if (root == MPI_PROC_NULL) return MPI_SUCCESS;
    CHECK(inter ? check_between(&mine, &all, at_root, comm) : check_rooted(&mine, &all, at_root, comm));
    if (equal && !inter && passed_on(at_root ? &all : &mine, comm)) {
        scatter_by_tree(schedule, &all, &mine, root, comm);
        return MPI_SUCCESS;
    }
    if (!at_root) {
        receive_block(schedule, &mine, 0, root);
        return MPI_SUCCESS;
    }
    for (int i = 0; i < comm_remote_size(comm); i++)
        if (inter || i != root) send_block(schedule, &all, i, i);
    if (!inter && mine.buffer != MPI_IN_PLACE) copy_block(schedule, &all, root, &mine, 0);
    return MPI_SUCCESS;
}

static int build_Scatter(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                         void *receive, int receive_count, MPI_Datatype receive_type, int root, MPI_Comm comm)
{
    struct blocks all = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct blocks mine = {.buffer = receive, .count = receive_count, .type = receive_type};
    return add_scatter(schedule, all, mine, true, root, comm);
}
COLLECTIVE(Scatter, Iscatter,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, int receive_count,
                      MPI_Datatype receive_type, int root, MPI_Comm comm),
           send, send_count, send_type, receive, receive_count, receive_type, root, comm)

static int build_Scatterv(struct schedule *schedule, const void *send, const int *counts, const int *places,
                          MPI_Datatype send_type, void *receive, int receive_count, MPI_Datatype receive_type, int root,
                          MPI_Comm comm)
{
    struct blocks all = {.buffer = (void *) send, .type = send_type, .counts = counts, .places = places};
    struct blocks mine = {.buffer = receive, .count = receive_count, .type = receive_type};
    return add_scatter(schedule, all, mine, false, root, comm);
}
COLLECTIVE(Scatterv, Iscatterv,
           PARAMETERS(const void *send, const int *counts, const int *places, MPI_Datatype send_type, void *receive,
                      int receive_count, MPI_Datatype receive_type, int root, MPI_Comm comm),
           send, counts, places, send_type, receive, receive_count, receive_type, root, comm)

/* ---- Allgather ---- */

static void allgather_direct(struct schedule *schedule, const struct blocks *mine, const struct blocks *all,
                             MPI_Comm comm)
{
    int size = comm_remote_size(comm);
    for (int i = 0; i < size; i++) {
        int other = (comm->rank + i) % size;
        if (other == comm->rank && !comm_is_inter(comm)) continue;
        receive_block(schedule, all, other, other);
        send_block(schedule, mine, 0, other);
    }
}

static void allgather_ring(struct schedule *schedule, const struct blocks *all, MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank;
    for (int round = 0; round < size - 1; round++) {
        send_block(schedule, all, (rank - round + size) % size, (rank + 1) % size);
        receive_block(schedule, all, (rank - round - 1 + size) % size, (rank - 1 + size) % size);
        schedule_then(schedule);
    }
}

static void allgather_rounds(struct schedule *schedule, const struct blocks *own, const struct blocks *all,
                             MPI_Comm comm)
{
    int size = comm_size(comm), each = (int) block_bytes(own, 0);
    char *bytes = schedule_memory(schedule, (size_t) size * each);
    block_to_bytes(schedule, own, 0, bytes);
    add_allgather_rounds(schedule, comm, bytes, each);
    for (int i = 1; i < size; i++) bytes_to_block(schedule, bytes + (size_t) i * each, all, (comm->rank + i) % size);
}

static int add_allgather(struct schedule *schedule, struct blocks mine, struct blocks all, MPI_Comm comm)
{
    CHECK(check_blocks(&all, comm_remote_size(comm)));
    if (comm_is_inter(comm)) {
        CHECK(check_blocks(&mine, 1));
        allgather_direct(schedule, &mine, &all, comm);
        return MPI_SUCCESS;
    }
    struct blocks own = {
        .buffer = block_at(&all, comm->rank), .count = block_count(&all, comm->rank), .type = all.type};
    if (mine.buffer != MPI_IN_PLACE) {
        CHECK(check_blocks(&mine, 1));
        copy_block(schedule, &mine, 0, &own, 0);
    }
    size_t bytes = 0;
    for (int i = 0; i < comm_size(comm); i++) bytes += block_bytes(&all, i);
    if (!all.counts && passed_on(&all, comm))
        allgather_rounds(schedule, &own, &all, comm);
    else if (bytes < collective_large_bytes)
        allgather_direct(schedule, &own, &all, comm);
    else
        allgather_ring(schedule, &all, comm);
    return MPI_SUCCESS;
}

static int build_Allgather(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                           void *receive, int receive_count, MPI_Datatype receive_type, MPI_Comm comm)
{
    struct blocks mine = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct blocks all = {.buffer = receive, .count = receive_count, .type = receive_type};
    return add_allgather(schedule, mine, all, comm);
}
COLLECTIVE(Allgather, Iallgather,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, int receive_count,
                      MPI_Datatype receive_type, MPI_Comm comm),
           send, send_count, send_type, receive, receive_count, receive_type, comm)

static int build_Allgatherv(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                            void *receive, const int *counts, const int *places, MPI_Datatype receive_type,
                            MPI_Comm comm)
{
    struct blocks mine = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct blocks all = {.buffer = receive, .type = receive_type, .counts = counts, .places = places};
    return add_allgather(schedule, mine, all, comm);
}
COLLECTIVE(Allgatherv, Iallgatherv,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, const int *counts,
                      const int *places, MPI_Datatype receive_type, MPI_Comm comm),
           send, send_count, send_type, receive, counts, places, receive_type, comm)

/* ---- All to all ---- */

/* What is in the receive buffer is what is to be sent: a packed copy of it, block by block. */
static struct blocks blocks_copy(struct schedule *schedule, const struct blocks *blocks, int size)
{
    size_t total = 0;
    for (int i = 0; i < size; i++) total += block_bytes(blocks, i);
    char *data = schedule_memory(schedule, total);
    int *counts = schedule_memory(schedule, (size_t) size * sizeof *counts);
    int *places = schedule_memory(schedule, (size_t) size * sizeof *places);
    struct blocks copy = {.buffer = data, .type = MPI_BYTE, .counts = counts, .places = places};
    int used = 0;
    for (int i = 0; i < size; i++) {
        counts[i] = (int) block_bytes(blocks, i);
        places[i] = used;
        used += counts[i];
        if (counts[i]) copy_block(schedule, blocks, i, &copy, i);
    }
    return copy;
}

/* Rank by rank from the next one on, so that not all talk to the same at once; in rounds of pairs if it is much. */
static int add_alltoall(struct schedule *schedule, struct blocks send, struct blocks receive, MPI_Comm comm)
{
    int size = comm_remote_size(comm), rank = comm->rank;
    bool inter = comm_is_inter(comm), in_place = send.buffer == MPI_IN_PLACE;
    CHECK(in_place && inter ? MPI_ERR_BUFFER : check_blocks(&receive, size));
    if (in_place)
        send = blocks_copy(schedule, &receive, size);
    else
        CHECK(check_blocks(&send, size));
    for (int i = 0; i < size; i++) {
        int to = (rank + i) % size, from = ((rank - i) % size + size) % size;
        if (!inter && i == 0) {
            if (!in_place) copy_block(schedule, &send, rank, &receive, rank);
            continue;
        }
        receive_block(schedule, &receive, from, from);
        send_block(schedule, &send, to, to);
        bool much = block_bytes(&send, to) + block_bytes(&receive, from) >= collective_large_bytes;
        if (much && !inter) schedule_then(schedule);
    }
    return MPI_SUCCESS;
}

static int build_Alltoall(struct schedule *schedule, const void *send, int send_count, MPI_Datatype send_type,
                          void *receive, int receive_count, MPI_Datatype receive_type, MPI_Comm comm)
{
    struct blocks from = {.buffer = (void *) send, .count = send_count, .type = send_type};
    struct blocks to = {.buffer = receive, .count = receive_count, .type = receive_type};
    return add_alltoall(schedule, from, to, comm);
}
COLLECTIVE(Alltoall, Ialltoall,
           PARAMETERS(const void *send, int send_count, MPI_Datatype send_type, void *receive, int receive_count,
                      MPI_Datatype receive_type, MPI_Comm comm),
           send, send_count, send_type, receive, receive_count, receive_type, comm)

static int build_Alltoallv(struct schedule *schedule, const void *send, const int *send_counts, const int *send_places,
                           MPI_Datatype send_type, void *receive, const int *receive_counts, const int *receive_places,
                           MPI_Datatype receive_type, MPI_Comm comm)
{
    struct blocks from = {.buffer = (void *) send, .type = send_type, .counts = send_counts, .places = send_places};
    struct blocks to = {.buffer = receive, .type = receive_type, .counts = receive_counts, .places = receive_places};
    return add_alltoall(schedule, from, to, comm);
}
COLLECTIVE(Alltoallv, Ialltoallv,
           PARAMETERS(const void *send, const int *send_counts, const int *send_places, MPI_Datatype send_type,
                      void *receive, const int *receive_counts, const int *receive_places, MPI_Datatype receive_type,
                      MPI_Comm comm),
           send, send_counts, send_places, send_type, receive, receive_counts, receive_places, receive_type, comm)

static int build_Alltoallw(struct schedule *schedule, const void *send, const int *send_counts, const int *send_places,
                           const MPI_Datatype *send_types, void *receive, const int *receive_counts,
                           const int *receive_places, const MPI_Datatype *receive_types, MPI_Comm comm)
{
    struct blocks from = {
        .buffer = (void *) send, .counts = send_counts, .places = send_places, .types = send_types};
    struct blocks to = {
        .buffer = receive, .counts = receive_counts, .places = receive_places, .types = receive_types};
    return add_alltoall(schedule, from, to, comm);
}
COLLECTIVE(Alltoallw, Ialltoallw,
           PARAMETERS(const void *send, const int *send_counts, const int *send_places, const MPI_Datatype *send_types,
                      void *receive, const int *receive_counts, const int *receive_places,
                      const MPI_Datatype *receive_types, MPI_Comm comm),
           send, send_counts, send_places, send_types, receive, receive_counts, receive_places, receive_types, comm)
