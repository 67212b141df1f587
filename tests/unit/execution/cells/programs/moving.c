/* What a rank can be doing when it is taken out of its process, chosen by the first argument. Rank 1 says that it is
 * there by a file `ready`, and then calls MPI once; rank 0 lets it go on when there is a file `go`. */
#include "check.h"

#include <dirent.h>
#include <stdint.h>
#include <unistd.h>

static void say(const char *path)
{
    FILE *file = fopen(path, "w");
    CHECK(file);
    if (file) fclose(file);
}

static void wait_for(const char *path)
{
    for (FILE *file; !(file = fopen(path, "r")) || fclose(file);) usleep(1000);
}

static int receive(void)
{
    int value = 0;
    if (rank == 1) say("/data/ready");
    MPI_Recv(&value, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return value;
}

static void give(int value)
{
    wait_for("/data/go");
    MPI_Send(&value, 1, MPI_INT, 1, 3, MPI_COMM_WORLD);
}

/* ---- Waiting ---- */

static void blocked(void)
{
    if (rank == 0) give(71);
    if (rank == 1) CHECK(receive() == 71);
}

static int (*volatile through)(void) = receive;

static void pointer(void)
{
    if (rank == 0) give(72);
    if (rank == 1) CHECK(through() == 72);
}

static void collective(void)
{
    long mine[3] = {rank, 10 * rank, 1}, sum[3];
    if (rank == 0) wait_for("/data/go");
    if (rank == 1) say("/data/ready");
    MPI_Allreduce(mine, sum, 3, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    CHECK(sum[0] == size * (size - 1) / 2 && sum[1] == 10 * sum[0] && sum[2] == size);
}

/* Rank 1 moves while the others go on writing into the window that it shares with them. */
static void window(void)
{
    int *own, *parts[64], unit;
    MPI_Aint bytes;
    MPI_Win win, other;
    MPI_Win_allocate_shared(100000, sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &own, &other);
    MPI_Win_allocate_shared(400000, sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &own, &win);
    MPI_Win_free(&other);
    for (int i = 0; i < size; i++) MPI_Win_shared_query(win, i, &bytes, &unit, &parts[i]);
    for (int i = 0; i < size; i++) parts[i][rank] = 10 * rank + i;
    if (rank == 0) give(73);
    if (rank == 1) CHECK(receive() == 73);
    for (int i = 0; i < size; i++) parts[i][99000 + rank] = 100 * rank + i;
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < size; i++) CHECK(own[i] == 10 * i + rank && own[99000 + i] == 100 * i + rank);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_free(&win);
    MPI_Win_allocate_shared(400000, sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &own, &win); /* where the other was */
    own[0] = rank;
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_shared_query(win, (rank + 1) % size, &bytes, &unit, &parts[0]);
    CHECK(parts[0][0] == (rank + 1) % size && own[99000] == 0);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_free(&win);
}

static __attribute__((noinline)) double recurse(int depth, double x)
{
    volatile double room[3] = {x, x + 1, x + 2};
    if (depth == 0) return receive();
    double below = recurse(depth - 1, x * 1.0001 + 1);
    return below + room[0] + room[1] * room[2];
}

static double sum_of_levels(int depth, double x)
{
    double sum[4096];
    for (int i = 0; i < depth; i++, x = x * 1.0001 + 1) sum[i] = x;
    double total = 73;
    while (depth--) total = total + sum[depth] + (sum[depth] + 1) * (sum[depth] + 2);
    return total;
}

static void deep(void)
{
    if (rank == 0) give(73);
    if (rank == 1) CHECK(recurse(4000, 0.5) == sum_of_levels(4000, 0.5));
}

/* ---- Files ---- */

static void files(void)
{
    if (rank == 0) give(74);
    if (rank != 1) return;
    char text[16] = {0};
    FILE *written = fopen("/data/written", "w"), *both = fopen("/data/both", "w+"), *added = fopen("/data/added", "a");
    fputs("0123456789", both);
    CHECK(fseek(both, 4, SEEK_SET) == 0 && fread(text, 1, 2, both) == 2 && !strcmp(text, "45"));
    fputs("first ", written);
    fputs("a", added);
    fflush(added);
    DIR *folder = opendir("/data/names");
    int names = 0;
    for (int i = 0; i < 5 && readdir(folder); i++) names++;
    CHECK(receive() == 74);
    while (readdir(folder)) names++;
    closedir(folder);
    CHECK(names == 42); /* 40 files, itself, its parent */
    CHECK(fread(text, 1, 3, both) == 3 && !strncmp(text, "678", 3));
    fputs("second", written);
    fputs("b", added);
    CHECK(fclose(written) == 0 && fclose(both) == 0 && fclose(added) == 0);
    CHECK((written = fopen("/data/written", "r")) && fread(text, 1, 12, written) == 12 && !strcmp(text, "first second"));
    fclose(written);
}

static void removed(void)
{
    if (rank == 0) give(75);
    if (rank != 1) return;
    FILE *file = fopen("/data/removed", "w+");
    unlink("/data/removed");
    CHECK(receive() == 75);
    CHECK(fputs("x", file) >= 0 && fclose(file) == 0);
}

/* ---- Functions that the library calls ---- */

static int copy_by_message(MPI_Comm comm, int keyval, void *extra, void *from, void *to, int *flag)
{
    (void) comm, (void) keyval, (void) extra;
    *(void **) to = (void *) ((intptr_t) from + (rank == 1 ? receive() : 76));
    *flag = 1;
    return MPI_SUCCESS;
}

static int deleted;
static int count_deleted(MPI_Comm comm, int keyval, void *value, void *extra)
{
    (void) comm, (void) keyval, (void) extra;
    deleted += (int) (intptr_t) value;
    return MPI_SUCCESS;
}

/* 2 x 2 matrices: not commutative */
static void multiply(void *in, void *inout, int *count, MPI_Datatype *type)
{
    (void) type;
    for (int64_t *a = in, *b = inout; (*count)--; a += 4, b += 4) {
        int64_t c[4] = {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2],
                        a[2] * b[1] + a[3] * b[3]};
        memcpy(b, c, sizeof c);
    }
}

static void callbacks(void)
{
    MPI_Comm copy;
    MPI_Op op;
    MPI_Datatype matrix;
    int keyval, found;
    void *value;
    MPI_Op_create(multiply, 0, &op);
    MPI_Type_contiguous(4, MPI_INT64_T, &matrix);
    MPI_Type_commit(&matrix);
    MPI_Comm_create_keyval(copy_by_message, count_deleted, &keyval, NULL);
    MPI_Comm_set_attr(MPI_COMM_WORLD, keyval, (void *) 100);
    if (rank == 0) give(76);
    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    MPI_Comm_get_attr(copy, keyval, &value, &found);
    CHECK(found && (intptr_t) value == 176);
    int64_t mine[4] = {1, rank + 1, 0, 1}, product[4];
    MPI_Allreduce(mine, product, 1, matrix, op, copy);
    CHECK(product[0] == 1 && product[1] == size * (size + 1) / 2 && product[2] == 0 && product[3] == 1);
    MPI_Comm_free(&copy);
    CHECK(deleted == 176);
    MPI_Comm_delete_attr(MPI_COMM_WORLD, keyval);
    MPI_Op_free(&op);
    MPI_Type_free(&matrix);
}

/* ---- Calls that never wait, and no calls ---- */

static void alone(void)
{
    double value = 1;
    for (FILE *file; !(file = fopen("/data/go", "r")) || fclose(file);) {
        double before = value;
        MPI_Allreduce(&before, &value, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
        CHECK(value == before);
    }
}

static void silent(void)
{
    if (rank == 1) {
        say("/data/ready");
        wait_for("/data/go");
    }
}

/* ---- A computation that is moved again and again: a stencil with checks of every kind on the way ---- */

#define CELLS 2000
static double *now, *next;

static void halo_round(int step)
{
    int left = (rank + size - 1) % size, right = (rank + 1) % size;
    MPI_Request requests[4];
    MPI_Irecv(&now[0], 1, MPI_DOUBLE, left, step, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(&now[CELLS + 1], 1, MPI_DOUBLE, right, step, MPI_COMM_WORLD, &requests[1]);
    MPI_Isend(&now[1], 1, MPI_DOUBLE, left, step, MPI_COMM_WORLD, &requests[2]);
    MPI_Isend(&now[CELLS], 1, MPI_DOUBLE, right, step, MPI_COMM_WORLD, &requests[3]);
    MPI_Waitall(4, requests, MPI_STATUSES_IGNORE);
    for (int i = 1; i <= CELLS; i++) next[i] = 0.3 * now[i - 1] + 0.41 * now[i] + 0.29 * now[i + 1] + 1e-7 * rand();
    double *swap = now;
    now = next;
    next = swap;
}

/* Larger than a ring, and than what is sent unasked */
static void exchange_all(void)
{
    double *all = malloc(sizeof *all * CELLS * (size_t) size);
    MPI_Allgather(&now[1], CELLS, MPI_DOUBLE, all, CELLS, MPI_DOUBLE, MPI_COMM_WORLD);
    for (int i = 0; i < CELLS; i++) now[i + 1] += 1e-3 * all[(i * size + rank) % (CELLS * size)];
    free(all);
}

static void stencil(int steps)
{
    now = calloc(CELLS + 2, sizeof *now);
    next = calloc(CELLS + 2, sizeof *next);
    srand((unsigned) rank + 1);
    for (int i = 0; i < CELLS + 2; i++) now[i] = rank + 1e-3 * i;
    double most = 0, last = 0;
    for (int step = 0; step < steps; step++) {
        halo_round(step);
        if (step % 20 == 0) exchange_all();
        if (step % 10 == 0) MPI_Allreduce(&now[step % CELLS + 1], &most, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
        now[1] += 1e-9 * most;
        double clock = MPI_Wtime();
        CHECK(clock >= last);
        last = clock;
    }
    uint64_t hash = 14695981039346656037u, hashes[64];
    for (size_t i = 0; i < CELLS * sizeof *now; i++) hash = (hash ^ ((unsigned char *) &now[1])[i]) * 1099511628211u;
    MPI_Gather(&hash, 1, MPI_UINT64_T, hashes, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    for (int i = 0; rank == 0 && i < size; i++) printf("%016llx\n", (unsigned long long) hashes[i]);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } cases[] = {{"blocked", blocked}, {"pointer", pointer}, {"collective", collective}, {"deep", deep},
                 {"files", files}, {"removed", removed}, {"callbacks", callbacks}, {"silent", silent}, {"alone", alone},
                 {"window", window}};
    begin(&argc, &argv);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(cases[i].name, argv[1])) cases[i].function();
    if (!strcmp(argv[1], "stencil")) stencil(atoi(argv[2]));
    return end();
}
