/* Windows that all ranks of a node see as their memory. The argument chooses one; without, all that need nothing else. */
#include "check.h"

#include <stdint.h>

static int *part(MPI_Win win, int of, MPI_Aint *bytes)
{
    int unit, *base;
    MPI_Win_shared_query(win, of, bytes, &unit, &base);
    CHECK(unit == sizeof(int));
    return base;
}

static MPI_Win window(MPI_Comm comm, MPI_Aint bytes, MPI_Info info, int **own)
{
    MPI_Win win;
    MPI_Win_allocate_shared(bytes, sizeof(int), info, comm, own, &win);
    return win;
}

/* Everyone writes into the part of the next rank, and finds in its own what the previous one wrote. */
static void neighbours(MPI_Comm comm, int count)
{
    int me, all, *own;
    MPI_Aint bytes;
    MPI_Comm_rank(comm, &me);
    MPI_Comm_size(comm, &all);
    MPI_Win win = window(comm, count * (MPI_Aint) sizeof(int), MPI_INFO_NULL, &own);
    int *next = part(win, (me + 1) % all, &bytes);
    CHECK(bytes == count * (MPI_Aint) sizeof(int) && part(win, me, &bytes) == own);
    for (int i = 1; i < all; i++) CHECK(part(win, i, &bytes) == part(win, i - 1, &bytes) + count);
    MPI_Win_fence(0, win);
    for (int i = 0; i < count; i++) next[i] = 1000 * me + i;
    MPI_Win_fence(0, win);
    for (int i = 0; i < count; i++) CHECK(own[i] == 1000 * ((me + all - 1) % all) + i);
    MPI_Win_fence(0, win);
    MPI_Win_free(&win);
}

/* Ranks whose parts are empty, and parts that need not touch. */
static void sizes(void)
{
    int *own;
    MPI_Aint bytes;
    MPI_Info info;
    MPI_Win win = window(MPI_COMM_WORLD, rank % 2 ? 12 : 0, MPI_INFO_NULL, &own);
    for (int i = 0; i < size; i++) {
        part(win, i, &bytes);
        CHECK(bytes == (i % 2 ? 12 : 0));
    }
    if (size > 1) CHECK(part(win, MPI_PROC_NULL, &bytes) == part(win, 1, &bytes) && bytes == 12);
    MPI_Win_free(&win);
    MPI_Info_create(&info);
    MPI_Info_set(info, "alloc_shared_noncontig", "true");
    win = window(MPI_COMM_WORLD, 12, info, &own);
    CHECK((uintptr_t) own % 64 == 0);
    for (int i = 0; i < 3; i++) own[i] = rank;
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < size; i++) CHECK(part(win, i, &bytes)[2] == i);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_free(&win);
    MPI_Info_free(&info);
}

/* Loads see what one-sided calls have done, and the other way round. */
static void calls(void)
{
    int *own, one = 1, old;
    MPI_Aint bytes;
    MPI_Win win = window(MPI_COMM_WORLD, 2 * sizeof(int), MPI_INFO_NULL, &own);
    MPI_Win_lock_all(0, win);
    own[0] = own[1] = 0;
    MPI_Win_sync(win);
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < 50; i++) {
        MPI_Fetch_and_op(&one, &old, MPI_INT, 0, 0, MPI_SUM, win);
        MPI_Win_flush(0, win);
    }
    MPI_Put(&rank, 1, MPI_INT, (rank + 1) % size, 1, 1, MPI_INT, win);
    MPI_Win_flush_all(win);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_sync(win);
    CHECK(part(win, 0, &bytes)[0] == 50 * size);
    CHECK(part(win, (rank + 1) % size, &bytes)[1] == rank);
    MPI_Win_unlock_all(win);
    MPI_Win_free(&win);
}

/* Halves of the world have windows of their own at the same time; then there are many, one after the other. */
static void many(void)
{
    int *own[2], all;
    MPI_Comm half;
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
    neighbours(half, 5000 + rank % 2);
    for (int i = 0; i < 40; i++) { /* 1 GiB together, where a rank may have 128 MiB */
        MPI_Comm comm = i % 3 ? MPI_COMM_WORLD : half;
        MPI_Aint bytes = (24 << 20) / size;
        MPI_Comm_size(comm, &all);
        MPI_Win one = window(comm, bytes, MPI_INFO_NULL, &own[0]), two = window(half, 4096, MPI_INFO_NULL, &own[1]);
        for (MPI_Aint at = 0; at < bytes / 4; at += 4096) {
            CHECK(all == 1 || own[0][at] == 0);
            own[0][at] = rank + 1;
        }
        own[1][0] = 7;
        MPI_Win_free(&one);
        CHECK(own[1][0] == 7);
        MPI_Win_free(&two);
    }
    MPI_Comm_free(&half);
}

/* More than there is: an error for all, after which there is as much as before. */
static void too_much(void)
{
    int *own;
    MPI_Win win;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int code = MPI_Win_allocate_shared(rank ? 4096 : 1 << 30, 4, MPI_INFO_NULL, MPI_COMM_WORLD, &own, &win), kind;
    MPI_Error_class(code, &kind);
    CHECK(kind == MPI_ERR_NO_MEM);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    neighbours(MPI_COMM_WORLD, 100000);
}

/* Ranks of different nodes are told so; those of one node share. */
static void nodes(void)
{
    int *own, near;
    MPI_Win win;
    MPI_Comm node;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int code = MPI_Win_allocate_shared(4096, 4, MPI_INFO_NULL, MPI_COMM_WORLD, &own, &win), kind;
    MPI_Error_class(code, &kind);
    CHECK(kind == MPI_ERR_RMA_SHARED);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &near);
    CHECK(near == size / 2);
    neighbours(node, 3000);
    MPI_Comm_free(&node);
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    if (argc > 1) {
        nodes();
        return end();
    }
    MPI_Comm node;
    int near;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, -rank, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &near);
    CHECK(near == size);
    neighbours(MPI_COMM_WORLD, 10);
    neighbours(node, 100000);
    MPI_Comm_free(&node);
    sizes();
    calls();
    many();
    if (size > 1) too_much();
    return end();
}
