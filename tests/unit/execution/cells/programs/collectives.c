/* Every collective against the plainest loop that gives the same, small and large, blocking and not, in place. */
#include "check.h"

#define VALUE(owner, i) ((owner) * 1000003 + (i) * 17 + 5)
static MPI_Request request;
#define FINISH() MPI_Wait(&request, MPI_STATUS_IGNORE)

static int *make(int count)
{
    int *data = malloc((size_t) (count + 1) * sizeof *data);
    for (int i = 0; i < count; i++) data[i] = -1;
    return data;
}

static int *mine(int count)
{
    int *data = make(count);
    for (int i = 0; i < count; i++) data[i] = VALUE(rank, i);
    return data;
}

static void broadcast(int count, int root)
{
    int *data = rank == root ? mine(count) : make(count);
    MPI_Bcast(data, count, MPI_INT, root, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(data[i] == VALUE(root, i));
    free(data);
    data = rank == root ? mine(count) : make(count);
    MPI_Ibcast(data, count, MPI_INT, root, MPI_COMM_WORLD, &request);
    FINISH();
    for (int i = 0; i < count; i++) CHECK(data[i] == VALUE(root, i));
    free(data);
}

static void gathers(int count, int root)
{
    int *out = mine(count), *in = make(count * size);
    MPI_Gather(out, count, MPI_INT, in, count, MPI_INT, root, MPI_COMM_WORLD);
    for (int i = 0; rank == root && i < count * size; i++) CHECK(in[i] == VALUE(i / count, i % count));
    memset(in, 0, (size_t) count * size * sizeof *in);
    MPI_Allgather(out, count, MPI_INT, in, count, MPI_INT, MPI_COMM_WORLD);
    for (int i = 0; i < count * size; i++) CHECK(in[i] == VALUE(i / count, i % count));
    for (int i = 0; i < count * size; i++) in[i] = i / count == rank ? VALUE(rank, i % count) : -1;
    MPI_Iallgather(MPI_IN_PLACE, 0, MPI_INT, in, count, MPI_INT, MPI_COMM_WORLD, &request);
    FINISH();
    for (int i = 0; i < count * size; i++) CHECK(in[i] == VALUE(i / count, i % count));
    int *back = make(count);
    MPI_Scatter(in, count, MPI_INT, back, count, MPI_INT, root, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(back[i] == VALUE(rank, i));
    free(out);
    free(in);
    free(back);
}

/* Rank i has i * step elements; between them lies a gap of one. */
static void gathers_of_many(int step, int root)
{
    int total = 0, *counts = make(size), *places = make(size);
    for (int i = 0; i < size; i++) {
        counts[i] = i * step;
        places[i] = total;
        total += counts[i] + 1;
    }
    int *out = mine(counts[rank]), *in = make(total), *back = make(counts[rank]);
    MPI_Allgatherv(out, counts[rank], MPI_INT, in, counts, places, MPI_INT, MPI_COMM_WORLD);
    for (int i = 0; i < size; i++) {
        for (int j = 0; j < counts[i]; j++) CHECK(in[places[i] + j] == VALUE(i, j));
        CHECK(in[places[i] + counts[i]] == -1);
    }
    MPI_Scatterv(in, counts, places, MPI_INT, back, counts[rank], MPI_INT, root, MPI_COMM_WORLD);
    for (int j = 0; j < counts[rank]; j++) CHECK(back[j] == VALUE(rank, j));
    memset(in, 0, (size_t) total * sizeof *in);
    MPI_Gatherv(out, counts[rank], MPI_INT, in, counts, places, MPI_INT, root, MPI_COMM_WORLD);
    for (int i = 0; rank == root && i < size; i++)
        for (int j = 0; j < counts[i]; j++) CHECK(in[places[i] + j] == VALUE(i, j));
    free(counts);
    free(places);
    free(out);
    free(in);
    free(back);
}

#define PAIR(from, to, i) VALUE((from) * 64 + (to), i)
static void all_to_all(int count)
{
    int *out = make(count * size), *in = make(count * size), *counts = make(size), *places = make(size);
    MPI_Datatype *types = malloc(size * sizeof(MPI_Datatype));
    for (int i = 0; i < count * size; i++) out[i] = PAIR(rank, i / count, i % count);
#define VERIFY()                                                                                                       \
    for (int i = 0; i < count * size; i++) CHECK(in[i] == PAIR(i / count, rank, i % count));                           \
    memset(in, 0, (size_t) count * size * sizeof *in)
    MPI_Alltoall(out, count, MPI_INT, in, count, MPI_INT, MPI_COMM_WORLD);
    VERIFY();
    for (int i = 0; i < size; i++) {
        counts[i] = count;
        places[i] = i * count;
        types[i] = MPI_INT;
    }
    MPI_Alltoallv(out, counts, places, MPI_INT, in, counts, places, MPI_INT, MPI_COMM_WORLD);
    VERIFY();
    memcpy(in, out, (size_t) count * size * sizeof *in);
    MPI_Ialltoall(MPI_IN_PLACE, 0, MPI_INT, in, count, MPI_INT, MPI_COMM_WORLD, &request);
    FINISH();
    VERIFY();
    for (int i = 0; i < size; i++) places[i] *= (int) sizeof(int);
    MPI_Ialltoallw(out, counts, places, types, in, counts, places, types, MPI_COMM_WORLD, &request);
    FINISH();
    VERIFY();
    free(out);
    free(in);
    free(counts);
    free(places);
    free(types);
}

static int sum_to(int limit, int i)
{
    int sum = 0;
    for (int r = 0; r < limit; r++) sum += VALUE(r, i);
    return sum;
}

static void reductions(int count, int root)
{
    int *out = mine(count), *in = make(count), *all = make(count * size);
    MPI_Reduce(out, in, count, MPI_INT, MPI_SUM, root, MPI_COMM_WORLD);
    for (int i = 0; rank == root && i < count; i++) CHECK(in[i] == sum_to(size, i));
    MPI_Allreduce(out, in, count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(in[i] == sum_to(size, i));
    memcpy(in, out, (size_t) count * sizeof *in);
    MPI_Iallreduce(MPI_IN_PLACE, in, count, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &request);
    FINISH();
    for (int i = 0; i < count; i++) CHECK(in[i] == VALUE(size - 1, i));
    MPI_Scan(out, in, count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(in[i] == sum_to(rank + 1, i));
    MPI_Exscan(out, in, count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; rank && i < count; i++) CHECK(in[i] == sum_to(rank, i));
    for (int i = 0; i < count * size; i++) all[i] = VALUE(rank, i);
    MPI_Reduce_scatter_block(all, in, count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(in[i] == sum_to(size, rank * count + i));
    free(out);
    free(in);
    free(all);
}

/* Multiplication of 2x2 matrices: associative, does not commute. */
struct matrix {
    unsigned a[4];
};
static void multiply(void *in, void *inout, int *count, MPI_Datatype *type)
{
    struct matrix *left = in, *right = inout;
    (void) type;
    for (int i = 0; i < *count; i++) {
        struct matrix p;
        for (int r = 0; r < 2; r++)
            for (int c = 0; c < 2; c++)
                p.a[2 * r + c] = left[i].a[2 * r] * right[i].a[c] + left[i].a[2 * r + 1] * right[i].a[2 + c];
        right[i] = p;
    }
}

static struct matrix matrix_of(int r, int i) { return (struct matrix){{r + 1, i + 2, 3, r + i + 1}}; }

static struct matrix product(int limit, int i)
{
    struct matrix result = {{1, 0, 0, 1}};
    int one = 1;
    for (int r = 0; r < limit; r++) {
        struct matrix next = matrix_of(r, i);
        multiply(&result, &next, &one, NULL);
        result = next;
    }
    return result;
}

static int same(struct matrix a, struct matrix b) { return !memcmp(&a, &b, sizeof a); }

static void in_order(int count)
{
    struct matrix *out = malloc((size_t) count * size * sizeof *out), *in = malloc((size_t) count * sizeof *in);
    MPI_Datatype type;
    MPI_Op op;
    MPI_Type_contiguous(4, MPI_UNSIGNED, &type);
    MPI_Type_commit(&type);
    MPI_Op_create(multiply, 0, &op);
    for (int i = 0; i < count * size; i++) out[i] = matrix_of(rank, i);
    MPI_Allreduce(out, in, count, type, op, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(same(in[i], product(size, i)));
    MPI_Reduce(out, in, count, type, op, size - 1, MPI_COMM_WORLD);
    for (int i = 0; rank == size - 1 && i < count; i++) CHECK(same(in[i], product(size, i)));
    MPI_Scan(out, in, count, type, op, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(same(in[i], product(rank + 1, i)));
    MPI_Exscan(out, in, count, type, op, MPI_COMM_WORLD);
    for (int i = 0; rank && i < count; i++) CHECK(same(in[i], product(rank, i)));
    MPI_Reduce_scatter_block(out, in, count, type, op, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) CHECK(same(in[i], product(size, rank * count + i)));
    MPI_Op_free(&op);
    MPI_Type_free(&type);
    free(out);
    free(in);
}

/* One number, and a gap behind it that belongs to the element: an operator may assign the whole. */
struct roomy {
    unsigned value, gap[1023];
};

static void add_roomy(void *in, void *inout, int *count, MPI_Datatype *type)
{
    struct roomy *from = in, *to = inout, sum;
    (void) type;
    memset(&sum, 0xab, sizeof sum);
    for (int i = 0; i < *count; i++) {
        sum.value = from[i].value + to[i].value;
        to[i] = sum;
    }
}

static void with_gaps(void)
{
    enum { MANY = 8 };
    static struct roomy out[MANY], in[MANY];
    MPI_Request requests[MANY];
    MPI_Datatype type;
    MPI_Op op;
    MPI_Type_create_resized(MPI_UNSIGNED, 0, sizeof(struct roomy), &type);
    MPI_Type_commit(&type);
    MPI_Op_create(add_roomy, 1, &op);
    for (int i = 0; i < MANY; i++) {
        out[i].value = (unsigned) (100 * i + rank);
        MPI_Ireduce(&out[i], &in[i], 1, type, op, i % size, MPI_COMM_WORLD, &requests[i]);
    }
    MPI_Waitall(MANY, requests, MPI_STATUSES_IGNORE);
    for (int i = 0; i < MANY; i++)
        if (i % size == rank) CHECK(in[i].value == (unsigned) (100 * i * size + size * (size - 1) / 2));
    MPI_Op_free(&op);
    MPI_Type_free(&type);
}

static void locations(void)
{
    struct {
        double value;
        int index;
    } out = {rank % 3, rank}, in;
    MPI_Allreduce(&out, &in, 1, MPI_DOUBLE_INT, MPI_MAXLOC, MPI_COMM_WORLD);
    CHECK(in.value == (size > 2 ? 2 : size - 1) && in.index == (size > 2 ? 2 : size - 1));
    MPI_Allreduce(&out, &in, 1, MPI_DOUBLE_INT, MPI_MINLOC, MPI_COMM_WORLD);
    CHECK(in.value == 0 && in.index == 0);
}

/* Several collectives under way at once, waited for in another order. */
static void overlap(void)
{
    MPI_Request requests[3];
    int a = rank, b, c = rank, *d = make(size);
    MPI_Iallreduce(&a, &b, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[0]);
    MPI_Ibcast(&c, 1, MPI_INT, size - 1, MPI_COMM_WORLD, &requests[1]);
    MPI_Iallgather(&a, 1, MPI_INT, d, 1, MPI_INT, MPI_COMM_WORLD, &requests[2]);
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 2; i >= 0; i--) MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
    CHECK(b == size * (size - 1) / 2 && c == size - 1);
    for (int i = 0; i < size; i++) CHECK(d[i] == i);
    free(d);
}

/* On a ring of any length, also of one or two, what came from the left was sent to the right. */
static void neighbours(void)
{
    MPI_Comm ring;
    int out[2] = {10 * rank, 10 * rank + 1}, in[2], periodic = 1;
    MPI_Cart_create(MPI_COMM_WORLD, 1, &size, &periodic, 0, &ring);
    MPI_Neighbor_alltoall(out, 1, MPI_INT, in, 1, MPI_INT, ring);
    CHECK(in[0] == 10 * ((rank + size - 1) % size) + 1 && in[1] == 10 * ((rank + 1) % size));
    MPI_Neighbor_allgather(&rank, 1, MPI_INT, in, 1, MPI_INT, ring);
    CHECK(in[0] == (rank + size - 1) % size && in[1] == (rank + 1) % size);
    MPI_Comm_free(&ring);
}

int main(int argc, char **argv)
{
    static const int counts[] = {1, 7, 500, 3000, 40000};
    begin(&argc, &argv);
    for (int i = 0; i < 5; i++) {
        broadcast(counts[i], i % size);
        gathers(counts[i], i % size);
        gathers_of_many(counts[i] / 5 + 1, (i + 1) % size);
        all_to_all(counts[i]);
        reductions(counts[i], i % size);
        in_order(counts[i] / 8 + 1);
    }
    with_gaps();
    locations();
    overlap();
    neighbours();
    return end();
}
