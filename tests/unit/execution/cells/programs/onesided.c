/* One-sided communication: every call, every way to synchronise, layouts, and atomicity under contention. */
#include "check.h"

#include <stddef.h>

#define N 64
static MPI_Win win;
static int *memory;

static int next(void) { return (rank + 1) % size; }
static int previous(void) { return (rank + size - 1) % size; }

static void open_window(void)
{
    MPI_Win_allocate(N * sizeof(int), sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &memory, &win);
    for (int i = 0; i < N; i++) memory[i] = -1;
    MPI_Barrier(MPI_COMM_WORLD);
}

static void close_window(void)
{
    MPI_Win_free(&win);
    CHECK(win == MPI_WIN_NULL);
}

static void fences(void)
{
    int values[N], back[N];
    open_window();
    for (int i = 0; i < N; i++) values[i] = rank * 1000 + i;
    MPI_Win_fence(MPI_MODE_NOPRECEDE, win);
    MPI_Put(values, N / 2, MPI_INT, next(), 0, N / 2, MPI_INT, win);
    MPI_Put(values + N / 2, 1, MPI_INT, next(), N - 1, 1, MPI_INT, win);
    MPI_Win_fence(0, win);
    for (int i = 0; i < N / 2; i++) CHECK(memory[i] == previous() * 1000 + i);
    CHECK(memory[N / 2] == -1 && memory[N - 1] == previous() * 1000 + N / 2);
    MPI_Get(back, N / 2, MPI_INT, next(), 0, N / 2, MPI_INT, win);
    MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
    for (int i = 0; i < N / 2; i++) CHECK(back[i] == values[i]);
    close_window();
}

/* A column here becomes a row there, and a row is added to a column. */
static void layouts(void)
{
    int matrix[8][8], row[8];
    MPI_Datatype column;
    open_window();
    MPI_Type_vector(8, 1, 8, MPI_INT, &column);
    MPI_Type_commit(&column);
    for (int i = 0; i < 64; i++) matrix[i / 8][i % 8] = i + rank;
    for (int i = 0; i < 8; i++) row[i] = 100 * i;
    MPI_Win_fence(0, win);
    MPI_Put(&matrix[0][3], 1, column, next(), 8, 8, MPI_INT, win);
    MPI_Put(row, 8, MPI_INT, next(), 7, 1, column, win);
    MPI_Win_fence(0, win);
    for (int i = 0; i < 7; i++) CHECK(memory[8 + i] == 8 * i + 3 + previous());
    for (int i = 2; i < 8; i++) CHECK(memory[7 + 8 * i] == 100 * i);
    MPI_Win_fence(0, win); /* all have looked */
    MPI_Accumulate(row, 8, MPI_INT, next(), 7, 1, column, MPI_SUM, win);
    MPI_Win_fence(0, win);
    for (int i = 2; i < 8; i++) CHECK(memory[7 + 8 * i] == 200 * i);
    MPI_Type_free(&column);
    close_window();
}

/* Far more than a ring holds, both ways at once, and a strided half of it. */
static void large(void)
{
    int count = 1 << 18;
    double *mine, *values = malloc(count * sizeof *values), *back = malloc(count * sizeof *back);
    MPI_Win big;
    MPI_Datatype every_second;
    MPI_Win_allocate(count * sizeof *mine, sizeof *mine, MPI_INFO_NULL, MPI_COMM_WORLD, &mine, &big);
    MPI_Type_vector(count / 2, 1, 2, MPI_DOUBLE, &every_second);
    MPI_Type_commit(&every_second);
    for (int i = 0; i < count; i++) values[i] = i + 0.5 * rank;
    MPI_Win_fence(0, big);
    MPI_Put(values, count, MPI_DOUBLE, next(), 0, count, MPI_DOUBLE, big);
    MPI_Win_fence(0, big);
    MPI_Accumulate(values, count, MPI_DOUBLE, previous(), 0, count, MPI_DOUBLE, MPI_SUM, big);
    MPI_Win_fence(0, big);
    int bad = 0;
    for (int i = 0; i < count; i++) bad += mine[i] != 2 * i + 0.5 * previous() + 0.5 * next();
    CHECK(bad == 0);
    MPI_Get(back, count / 2, MPI_DOUBLE, next(), 1, 1, every_second, big);
    MPI_Win_fence(0, big);
    for (int i = 0; i < count / 2; i++) bad += back[i] != 2 * (2 * i + 1) + 0.5 * rank + 0.5 * ((rank + 2) % size);
    CHECK(bad == 0);
    MPI_Type_free(&every_second);
    MPI_Win_free(&big);
    free(values);
    free(back);
}

static void post_and_start(void)
{
    int to = next(), from = previous(), value = 7000 + rank;
    MPI_Group world, origins, targets;
    open_window();
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, 1, &from, &origins);
    MPI_Group_incl(world, 1, &to, &targets);
    for (int round = 0; round < 10; round++) {
        int flag = 0;
        MPI_Win_post(origins, 0, win);
        MPI_Win_start(targets, 0, win);
        value += round;
        MPI_Put(&value, 1, MPI_INT, to, round, 1, MPI_INT, win);
        MPI_Win_complete(win);
        if (round % 2) MPI_Win_wait(win);
        while (round % 2 == 0 && !flag) MPI_Win_test(win, &flag);
        CHECK(memory[round] == value + from - rank);
    }
    MPI_Group_free(&world);
    MPI_Group_free(&origins);
    MPI_Group_free(&targets);
    close_window();
}

/* All ranks change the same words: nothing may be lost, and every ticket is given out once. */
static void contention(void)
{
    int one = 1, ticket, last = -1, rounds = 200;
    open_window();
    if (rank == 0) memory[0] = memory[1] = memory[2] = 0;
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < rounds; i++) { /* under an exclusive lock, reading and writing apart */
        int value;
        MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, win);
        MPI_Get(&value, 1, MPI_INT, 0, 0, 1, MPI_INT, win);
        MPI_Win_flush(0, win);
        value++;
        MPI_Put(&value, 1, MPI_INT, 0, 0, 1, MPI_INT, win);
        MPI_Win_unlock(0, win);
    }
    MPI_Win_lock_all(0, win);
    for (int i = 0; i < rounds; i++) {
        MPI_Fetch_and_op(&one, &ticket, MPI_INT, 0, 1, MPI_SUM, win);
        MPI_Win_flush(0, win);
        CHECK(ticket > last && ticket < rounds * size);
        last = ticket;
    }
    for (int i = 0; i < rounds;) { /* compare and swap until it was us */
        int seen, old, new;
        MPI_Fetch_and_op(NULL, &seen, MPI_INT, 0, 2, MPI_NO_OP, win);
        MPI_Win_flush(0, win);
        new = seen + 1;
        MPI_Compare_and_swap(&new, &seen, &old, MPI_INT, 0, 2, win);
        MPI_Win_flush(0, win);
        i += old == seen;
    }
    MPI_Win_unlock_all(win);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) CHECK(memory[0] == rounds * size && memory[1] == rounds * size && memory[2] == rounds * size);
    close_window();
}

static void with_requests(void)
{
    int value = rank + 1, old = 0, read = 0;
    MPI_Request requests[3];
    open_window();
    memory[0] = 10;
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_lock_all(0, win);
    MPI_Rget_accumulate(&value, 1, MPI_INT, &old, 1, MPI_INT, next(), 0, 1, MPI_INT, MPI_SUM, win, &requests[0]);
    MPI_Rput(&value, 1, MPI_INT, next(), 1, 1, MPI_INT, win, &requests[1]);
    MPI_Raccumulate(&value, 1, MPI_INT, next(), 1, 1, MPI_INT, MPI_MAX, win, &requests[2]);
    MPI_Waitall(3, requests, MPI_STATUSES_IGNORE);
    MPI_Win_flush_all(win);
    MPI_Rget(&read, 1, MPI_INT, next(), 0, 1, MPI_INT, win, &requests[0]);
    MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
    MPI_Win_unlock_all(win);
    CHECK(old == 10 && read == 10 + value);
    close_window();
}

struct node {
    MPI_Aint address;
    int value;
};

static void dynamic(void)
{
    struct node node = {0, 100 + rank}, seen;
    MPI_Aint *addresses = malloc(size * sizeof *addresses);
    MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    MPI_Win_attach(win, &node, sizeof node);
    MPI_Get_address(&node, &node.address);
    MPI_Allgather(&node.address, 1, MPI_AINT, addresses, 1, MPI_AINT, MPI_COMM_WORLD);
    MPI_Win_lock(MPI_LOCK_SHARED, next(), 0, win);
    MPI_Get(&seen, sizeof seen, MPI_BYTE, next(), addresses[next()], sizeof seen, MPI_BYTE, win);
    MPI_Win_unlock(next(), win);
    CHECK(seen.value == 100 + next() && seen.address == addresses[next()]);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_detach(win, &node);
    close_window();
    free(addresses);
}

static void pairs(void)
{
    struct {
        double value;
        int index;
    } mine = {rank % 3, rank}, *best;
    MPI_Win best_win;
    MPI_Win_allocate(sizeof *best, sizeof *best, MPI_INFO_NULL, MPI_COMM_WORLD, &best, &best_win);
    best->value = -1;
    best->index = 1000;
    MPI_Win_fence(0, best_win);
    MPI_Accumulate(&mine, 1, MPI_DOUBLE_INT, 0, 0, 1, MPI_DOUBLE_INT, MPI_MAXLOC, best_win);
    MPI_Win_fence(0, best_win);
    int most = size > 2 ? 2 : size - 1;
    if (rank == 0) CHECK(best->value == most && best->index == most);
    MPI_Win_free(&best_win);
}

static void questions(void)
{
    void *base;
    MPI_Aint *bytes;
    int *unit, *flavor, found, length;
    char name[MPI_MAX_OBJECT_NAME];
    MPI_Group group, world;
    open_window();
    MPI_Win_get_attr(win, MPI_WIN_BASE, &base, &found);
    CHECK(found && base == memory);
    MPI_Win_get_attr(win, MPI_WIN_SIZE, &bytes, &found);
    CHECK(found && *bytes == N * (MPI_Aint) sizeof(int));
    MPI_Win_get_attr(win, MPI_WIN_DISP_UNIT, &unit, &found);
    MPI_Win_get_attr(win, MPI_WIN_CREATE_FLAVOR, &flavor, &found);
    CHECK(*unit == sizeof(int) && *flavor == MPI_WIN_FLAVOR_ALLOCATE);
    MPI_Win_set_name(win, "field");
    MPI_Win_get_name(win, name, &length);
    CHECK(!strcmp(name, "field") && length == 5);
    MPI_Win_get_group(win, &group);
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_compare(group, world, &found);
    CHECK(found == MPI_IDENT);
    MPI_Group_free(&group);
    MPI_Group_free(&world);
    close_window();
}

static void mistakes(void)
{
    int value = 1;
    open_window();
    MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
    CHECK(MPI_Put(&value, 1, MPI_INT, rank, 0, 1, MPI_INT, win) == MPI_ERR_RMA_SYNC);
    CHECK(MPI_Win_unlock(rank, win) == MPI_ERR_RMA_SYNC);
    CHECK(MPI_Win_lock(99, rank, 0, win) == MPI_ERR_LOCKTYPE);
    MPI_Win_fence(0, win);
    CHECK(MPI_Put(&value, 1, MPI_INT, size, 0, 1, MPI_INT, win) == MPI_ERR_RANK);
    CHECK(MPI_Put(&value, 1, MPI_INT, rank, N, 1, MPI_INT, win) == MPI_ERR_RMA_RANGE);
    CHECK(MPI_Put(&value, 1, MPI_INT, rank, -1, 1, MPI_INT, win) == MPI_ERR_RMA_RANGE);
    CHECK(MPI_Accumulate(&value, 1, MPI_INT, rank, 0, 1, MPI_INT, MPI_NO_OP, win) == MPI_ERR_OP);
    CHECK(MPI_Put(&value, 1, MPI_INT, MPI_PROC_NULL, 0, 1, MPI_INT, win) == MPI_SUCCESS);
    MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
    CHECK(memory[0] == -1);
    close_window();
}

/* With oneself; what several ranks share is in shared.c. */
static void sharing(void)
{
    int *mine, *seen, unit;
    MPI_Aint bytes;
    MPI_Win_allocate_shared(64, sizeof(int), MPI_INFO_NULL, MPI_COMM_SELF, &mine, &win);
    MPI_Win_shared_query(win, 0, &bytes, &unit, &seen);
    CHECK(seen == mine && bytes == 64 && unit == sizeof(int));
    close_window();
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    fences();
    layouts();
    large();
    post_and_start();
    contention();
    with_requests();
    dynamic();
    pairs();
    questions();
    mistakes();
    sharing();
    return end();
}
