/* Collectives that compute: reduce, allreduce, reduce-scatter, scans.
 *
 * The standard wants the operands in the order of ranks unless the operator commutes. Results are the same on all
 * ranks, bit by bit, because all combine the same operands in the same order. */
#include "collective.h"

/* A reduction's operands are contiguous or not, but always addressed as the user's elements. */
static void *operand(struct schedule *schedule, const void *from, int count, struct eco_type *type)
{
    void *copy = schedule_place(schedule, count, type);
    if (from) schedule_copy(schedule, from, count, type, copy, count, type);
    return copy;
}

static int check_reduction(const void *buffer, int count, struct eco_type *type, struct eco_op *op)
{
    CHECK(check_data(buffer, count, type));
    return op_check(op, type);
}

/* ---- Reduce ---- */

/* A binomial tree whose subtrees are runs of neighbouring ranks: right for every operator if the root is 0. */
static void reduce_tree(struct schedule *schedule, struct eco_comm *via, void *inout, int count, struct eco_type *type,
                        struct eco_op *op, int root)
{
    int size = comm_size(via), place = (via->rank - root + size) % size;
    void *other = NULL;
    for (int mask = 1; mask < size; mask *= 2) {
        if (place & mask) {
            schedule_send(schedule, inout, count, type, (place - mask + root) % size);
            schedule_then(schedule);
            return;
        }
        if (place + mask >= size) continue;
        if (!other) other = schedule_place(schedule, count, type);
        schedule_receive(schedule, other, count, type, (place + mask + root) % size);
        schedule_then(schedule);
        /* inout holds the lower ranks, so it is the left operand: compute in `other`, and go on there. */
        schedule_reduce(schedule, op, inout, other, count, type);
        schedule_copy(schedule, other, count, type, inout, count, type);
    }
}

void add_reduce(struct schedule *schedule, struct eco_comm *via, void *inout, int count, struct eco_type *type,
                struct eco_op *op, int root)
{
    int first = op->commutative ? root : 0;
    reduce_tree(schedule, via, inout, count, type, op, first);
    if (first == root) return;
    if (via->rank == 0) schedule_send(schedule, inout, count, type, root);
    if (via->rank == root) {
        schedule_then(schedule);
        schedule_receive(schedule, inout, count, type, 0);
    }
    schedule_then(schedule);
}

static int reduce_between(struct schedule *schedule, const void *send, void *receive, int count, struct eco_type *type,
                          struct eco_op *op, int root, MPI_Comm comm)
{
    if (root == MPI_PROC_NULL) return MPI_SUCCESS;
    if (root == MPI_ROOT) {
        schedule_receive(schedule, receive, count, type, 0);
        return MPI_SUCCESS;
    }
    void *sum = operand(schedule, send, count, type);
    schedule_within(schedule, true);
    add_reduce(schedule, comm->within, sum, count, type, op, 0);
    schedule_within(schedule, false);
    if (comm->rank == 0) schedule_send(schedule, sum, count, type, root);
    return MPI_SUCCESS;
}

static int build_Reduce(struct schedule *schedule, const void *send, void *receive, int count, MPI_Datatype type,
                        MPI_Op op, int root, MPI_Comm comm)
{
    CHECK(check_root(comm, root));
    CHECK(root == MPI_PROC_NULL ? MPI_SUCCESS : check_reduction(root == MPI_ROOT ? receive : send, count, type, op));
    if (comm_is_inter(comm)) return reduce_between(schedule, send, receive, count, type, op, root, comm);
    bool at_root = comm->rank == root;
    if (!at_root && send == MPI_IN_PLACE) return MPI_ERR_BUFFER;
    const void *mine = send == MPI_IN_PLACE ? receive : send;
    void *sum = operand(schedule, mine, count, type);
    add_reduce(schedule, comm, sum, count, type, op, root);
    if (at_root) schedule_copy(schedule, sum, count, type, receive, count, type);
    return MPI_SUCCESS;
}
COLLECTIVE(Reduce, Ireduce,
           PARAMETERS(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op, int root,
                      MPI_Comm comm),
           send, receive, count, type, op, root, comm)

/* ---- Allreduce ---- */

#define ALLREDUCE_SMALL 64 /* bytes */

/* Everyone sends to everyone and combines all, in the order of ranks: one round. */
static void allreduce_direct(struct schedule *schedule, void *inout, int count, struct eco_type *type, struct eco_op *op,
                             MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank;
    void *parts[COLLECTIVE_DIRECT];
    for (int i = 0; i < size; i++) {
        parts[i] = i == rank ? operand(schedule, inout, count, type) : schedule_place(schedule, count, type);
        if (i == rank) continue;
        schedule_receive(schedule, parts[i], count, type, i);
    }
    for (int i = 1; i < size; i++) schedule_send(schedule, inout, count, type, (rank + i) % size);
    schedule_then(schedule);
    for (int i = 1; i < size; i++) schedule_reduce(schedule, op, parts[i - 1], parts[i], count, type);
    schedule_copy(schedule, parts[size - 1], count, type, inout, count, type);
}

/* inout = the sum of both, the lower ranks on the left. */
static void combine(struct schedule *schedule, struct eco_op *op, void *inout, void *other, int count,
                    struct eco_type *type, bool other_is_lower)
{
    if (other_is_lower) {
        schedule_reduce(schedule, op, other, inout, count, type);
    } else {
        schedule_reduce(schedule, op, inout, other, count, type);
        schedule_copy(schedule, other, count, type, inout, count, type);
    }
}

/* Recursive doubling. If the size is not a power of two, the first ranks join in pairs of neighbours before. */
static void allreduce_doubling(struct schedule *schedule, void *inout, int count, struct eco_type *type,
                               struct eco_op *op, MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank, power = 1;
    while (power * 2 <= size) power *= 2;
    int extra = size - power, place = rank < 2 * extra ? rank / 2 : rank - extra;
    void *other = schedule_place(schedule, count, type);
    if (rank < 2 * extra && rank % 2 == 0) {
        schedule_send(schedule, inout, count, type, rank + 1);
        schedule_then(schedule);
        schedule_receive(schedule, inout, count, type, rank + 1);
        return;
    }
    if (rank < 2 * extra) {
        schedule_receive(schedule, other, count, type, rank - 1);
        schedule_then(schedule);
        combine(schedule, op, inout, other, count, type, true);
    }
    for (int mask = 1; mask < power; mask *= 2) {
        int peer = place ^ mask, peer_rank = peer < extra ? 2 * peer + 1 : peer + extra;
        schedule_then(schedule);
        schedule_send(schedule, inout, count, type, peer_rank);
        schedule_receive(schedule, other, count, type, peer_rank);
        schedule_then(schedule);
        combine(schedule, op, inout, other, count, type, peer < place);
    }
    if (rank < 2 * extra) schedule_send(schedule, inout, count, type, rank - 1);
}

/* A ring twice around: first the sums of pieces, then the pieces. For long vectors and operators that commute. */
static void allreduce_ring(struct schedule *schedule, void *inout, int count, struct eco_type *type, struct eco_op *op,
                           MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank, next = (rank + 1) % size, previous = (rank - 1 + size) % size;
    int each = count / size, rest = count % size;
    void *other = schedule_place(schedule, each + 1, type);
#define START(i) ((i) * each + ((i) < rest ? (i) : rest))
#define LENGTH(i) (each + ((i) < rest))
#define PIECE(i) element_at(inout, START(i), type), LENGTH(i), type
    for (int round = 0; round < size - 1; round++) {
        int out = (rank - round + size) % size, in = (rank - round - 1 + size) % size;
        schedule_send(schedule, PIECE(out), next);
        schedule_receive(schedule, other, LENGTH(in), type, previous);
        schedule_then(schedule);
        schedule_reduce(schedule, op, other, PIECE(in));
    }
    for (int round = 0; round < size - 1; round++) {
        int out = (rank + 1 - round + size) % size, in = (rank - round + size) % size;
        schedule_then(schedule);
        schedule_send(schedule, PIECE(out), next);
        schedule_receive(schedule, PIECE(in), previous);
    }
#undef PIECE
#undef START
#undef LENGTH
}

static void add_allreduce(struct schedule *schedule, void *inout, int count, struct eco_type *type, struct eco_op *op,
                          MPI_Comm comm)
{
    int size = comm_size(comm);
    size_t bytes = data_bytes(count, type);
    if (size == 1) return;
    if (size <= COLLECTIVE_DIRECT && bytes * (size_t) size <= 4096)
        allreduce_direct(schedule, inout, count, type, op, comm);
    else if (bytes >= collective_large_bytes && op->commutative && count >= size)
        allreduce_ring(schedule, inout, count, type, op, comm);
    else
        allreduce_doubling(schedule, inout, count, type, op, comm);
}

static void allreduce_between(struct schedule *schedule, const void *send, void *receive, int count,
                              struct eco_type *type, struct eco_op *op, MPI_Comm comm)
{
    void *sum = operand(schedule, send, count, type);
    schedule_within(schedule, true);
    add_reduce(schedule, comm->within, sum, count, type, op, 0);
    schedule_within(schedule, false);
    if (comm->rank == 0) {
        schedule_send(schedule, sum, count, type, 0);
        schedule_receive(schedule, receive, count, type, 0);
    }
    schedule_then(schedule);
    schedule_within(schedule, true);
    add_bcast(schedule, comm->within, receive, count, type, 0);
}

static int build_Allreduce(struct schedule *schedule, const void *send, void *receive, int count, MPI_Datatype type,
                           MPI_Op op, MPI_Comm comm)
{
    CHECK(check_reduction(receive, count, type, op));
    if (comm_is_inter(comm)) {
        if (send == MPI_IN_PLACE) return MPI_ERR_BUFFER;
        allreduce_between(schedule, send, receive, count, type, op, comm);
        return MPI_SUCCESS;
    }
    if (send != MPI_IN_PLACE) schedule_copy(schedule, send, count, type, receive, count, type);
    add_allreduce(schedule, receive, count, type, op, comm);
    return MPI_SUCCESS;
}
#define ALLREDUCE PARAMETERS(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
COLLECTIVE_RUN(Allreduce, ALLREDUCE, send, receive, count, type, op, comm)
COLLECTIVE_STARTED(Allreduce, Iallreduce, ALLREDUCE, send, receive, count, type, op, comm)

/* Few numbers among few ranks, as most programs ask for them: the messages are those of allreduce_direct, but writing
 * them down first would take longer than they do. */
static bool is_small(const void *send, const void *receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    if (check_comm(comm) || comm_is_inter(comm) || comm_size(comm) < 2 || comm_size(comm) > COLLECTIVE_DIRECT) return false;
    if (!send || !receive || count <= 0 || check_reduction(receive, count, type, op)) return false;
    return !op->function && type->whole && (size_t) count * type->size <= ALLREDUCE_SMALL;
}

static void allreduce_small(const void *own, char *receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank, pending = 0;
    size_t bytes = (size_t) count * type->size;
    _Alignas(16) char parts[COLLECTIVE_DIRECT][ALLREDUCE_SMALL];
    struct eco_request *requests[COLLECTIVE_DIRECT];
    int32_t tag = collective_tag(comm);
    memcpy(parts[rank], own, bytes);
    for (int i = 0; i < size; i++)
        if (i != rank) requests[pending++] = internal_receive_begin(parts[i], count, type, i, tag, comm);
    for (int i = 1; i < size; i++) {
        int to = (rank + i) % size;
        if (!send_quickly(parts[rank], count, type, to, tag, comm, comm->context + 1))
            send_internal(parts[rank], count, type, to, tag, comm);
    }
    while (pending) request_finish(&requests[--pending], NULL);
    for (int i = 1; i < size; i++) op_apply(op, parts[i - 1], parts[i], count, type);
    memcpy(receive, parts[size - 1], bytes);
}

int MPI_Allreduce(ALLREDUCE)
{
    if (!is_small(send, receive, count, type, op, comm))
        return run_Allreduce(send, receive, count, type, op, comm, NULL, "MPI_Allreduce");
    allreduce_small(send == MPI_IN_PLACE ? receive : send, receive, count, type, op, comm);
    return MPI_SUCCESS;
}

/* ---- Reduce-scatter ---- */

/* Who gets which part of the vector: `counts` elements each, or the same number for all. */
struct shares {
    const int *counts;
    int count;
};
static int share(const struct shares *shares, int i) { return shares->counts ? shares->counts[i] : shares->count; }
static int share_start(const struct shares *shares, int i)
{
    int start = 0;
    if (!shares->counts) return i * shares->count;
    for (int j = 0; j < i; j++) start += shares->counts[j];
    return start;
}

/* Each rank collects its share from all and combines them in the order of ranks. */
static void scatter_direct(struct schedule *schedule, const void *vector, void *receive, const struct shares *shares,
                           struct eco_type *type, struct eco_op *op, MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank, mine = share(shares, rank);
    void **parts = schedule_memory(schedule, (size_t) size * sizeof *parts);
    for (int i = 0; i < size; i++) {
        parts[i] = schedule_place(schedule, mine, type);
        if (i != rank) schedule_receive(schedule, parts[i], mine, type, i);
    }
    for (int i = 1; i < size; i++) {
        int to = (rank + i) % size;
        schedule_send(schedule, element_at(vector, share_start(shares, to), type), share(shares, to), type, to);
    }
    schedule_copy(schedule, element_at(vector, share_start(shares, rank), type), mine, type, parts[rank], mine, type);
    schedule_then(schedule);
    for (int i = 1; i < size; i++) schedule_reduce(schedule, op, parts[i - 1], parts[i], mine, type);
    schedule_copy(schedule, parts[size - 1], mine, type, receive, mine, type);
}

/* The same in rounds of pairs, with one share of memory, for operators that commute. */
static void scatter_pairs(struct schedule *schedule, const void *vector, void *receive, const struct shares *shares,
                          struct eco_type *type, struct eco_op *op, MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank, mine = share(shares, rank);
    void *other = schedule_place(schedule, mine, type);
    void *sum = operand(schedule, element_at(vector, share_start(shares, rank), type), mine, type);
    for (int i = 1; i < size; i++) {
        int to = (rank + i) % size, from = (rank - i + size) % size;
        schedule_send(schedule, element_at(vector, share_start(shares, to), type), share(shares, to), type, to);
        schedule_receive(schedule, other, mine, type, from);
        schedule_then(schedule);
        schedule_reduce(schedule, op, other, sum, mine, type);
    }
    schedule_copy(schedule, sum, mine, type, receive, mine, type);
}

/* Each side gets the other's sum: the first ranks exchange it, then deal it out. */
static void scatter_between(struct schedule *schedule, const void *send, void *receive, const struct shares *shares,
                            struct eco_type *type, struct eco_op *op, MPI_Comm comm)
{
    int size = comm_size(comm), total = share_start(shares, size);
    void *sum = operand(schedule, send, total, type), *theirs = schedule_place(schedule, total, type);
    schedule_within(schedule, true);
    add_reduce(schedule, comm->within, sum, total, type, op, 0);
    schedule_within(schedule, false);
    if (comm->rank == 0) {
        schedule_send(schedule, sum, total, type, 0);
        schedule_receive(schedule, theirs, total, type, 0);
    }
    schedule_then(schedule);
    schedule_within(schedule, true);
    int mine = share(shares, comm->rank);
    if (comm->rank) {
        schedule_receive(schedule, receive, mine, type, 0);
        return;
    }
    for (int i = 1; i < size; i++)
        schedule_send(schedule, element_at(theirs, share_start(shares, i), type), share(shares, i), type, i);
    schedule_copy(schedule, theirs, mine, type, receive, mine, type);
}

static int add_reduce_scatter(struct schedule *schedule, const void *send, void *receive, const struct shares *shares,
                              struct eco_type *type, struct eco_op *op, MPI_Comm comm)
{
    int size = comm_size(comm);
    for (int i = 0; i < size; i++) CHECK(share(shares, i) < 0 ? MPI_ERR_COUNT : MPI_SUCCESS);
    int total = share_start(shares, size);
    CHECK(check_reduction(send == MPI_IN_PLACE ? receive : send, total, type, op));
    if (comm_is_inter(comm)) {
        if (send == MPI_IN_PLACE) return MPI_ERR_BUFFER;
        scatter_between(schedule, send, receive, shares, type, op, comm);
        return MPI_SUCCESS;
    }
    const void *vector = send == MPI_IN_PLACE ? receive : send;
    bool much = data_bytes(total, type) >= collective_large_bytes;
    if (much && op->commutative)
        scatter_pairs(schedule, vector, receive, shares, type, op, comm);
    else
        scatter_direct(schedule, vector, receive, shares, type, op, comm);
    return MPI_SUCCESS;
}

static int build_Reduce_scatter_block(struct schedule *schedule, const void *send, void *receive, int count,
                                      MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    struct shares shares = {.count = count};
    return add_reduce_scatter(schedule, send, receive, &shares, type, op, comm);
}
COLLECTIVE(Reduce_scatter_block, Ireduce_scatter_block,
           PARAMETERS(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm), send,
           receive, count, type, op, comm)

static int build_Reduce_scatter(struct schedule *schedule, const void *send, void *receive, const int *counts,
                                MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    struct shares shares = {.counts = counts};
    if (!counts) return MPI_ERR_ARG;
    return add_reduce_scatter(schedule, send, receive, &shares, type, op, comm);
}
COLLECTIVE(Reduce_scatter, Ireduce_scatter,
           PARAMETERS(const void *send, void *receive, const int *counts, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
           send, receive, counts, type, op, comm)

/* ---- Scans ---- */

/* Recursive doubling: `block` is the sum over the aligned block of ranks that is known so far, `result` over those of
 * it that are not above this rank (or, exclusive, below it). */
static void add_scan(struct schedule *schedule, void *block, void *result, bool exclusive, int count,
                     struct eco_type *type, struct eco_op *op, MPI_Comm comm)
{
    int size = comm_size(comm), rank = comm->rank;
    bool known = !exclusive;
    void *other = schedule_place(schedule, count, type);
    for (int mask = 1; mask < size; mask *= 2) {
        int peer = rank ^ mask;
        if (peer >= size) continue;
        schedule_then(schedule);
        schedule_send(schedule, block, count, type, peer);
        schedule_receive(schedule, other, count, type, peer);
        schedule_then(schedule);
        if (peer < rank) {
            if (known)
                schedule_reduce(schedule, op, other, result, count, type);
            else
                schedule_copy(schedule, other, count, type, result, count, type);
            known = true;
        }
        combine(schedule, op, block, other, count, type, peer < rank);
    }
}

static int build_Scan(struct schedule *schedule, const void *send, void *receive, int count, MPI_Datatype type,
                      MPI_Op op, MPI_Comm comm)
{
    if (comm_is_inter(comm)) return MPI_ERR_COMM;
    CHECK(check_reduction(receive, count, type, op));
    if (send != MPI_IN_PLACE) schedule_copy(schedule, send, count, type, receive, count, type);
    void *block = operand(schedule, receive, count, type);
    add_scan(schedule, block, receive, false, count, type, op, comm);
    return MPI_SUCCESS;
}
COLLECTIVE(Scan, Iscan,
           PARAMETERS(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm), send,
           receive, count, type, op, comm)

static int build_Exscan(struct schedule *schedule, const void *send, void *receive, int count, MPI_Datatype type,
                        MPI_Op op, MPI_Comm comm)
{
    if (comm_is_inter(comm)) return MPI_ERR_COMM;
    CHECK(check_reduction(send == MPI_IN_PLACE ? receive : send, count, type, op));
    void *block = operand(schedule, send == MPI_IN_PLACE ? receive : send, count, type);
    add_scan(schedule, block, receive, true, count, type, op, comm);
    return MPI_SUCCESS;
}
COLLECTIVE(Exscan, Iexscan,
           PARAMETERS(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm), send,
           receive, count, type, op, comm)
