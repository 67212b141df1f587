/* Windows whose memory all ranks of a node see as their own. */
#include "window.h"

int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *win)
{
    PASS(comm, check_comm(comm));
    REQUIRE(comm_size(comm) == 1, comm, MPI_ERR_RMA_SHARED);
    PASS(comm, MPI_Win_allocate(size, unit, info, comm, base, win));
    (*win)->flavor = MPI_WIN_FLAVOR_SHARED;
    (*win)->remotes[0].shared = (*win)->base;
    return MPI_SUCCESS;
}

int MPI_Win_shared_query(MPI_Win win, int rank, MPI_Aint *size, int *unit, void *base)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(win->flavor == MPI_WIN_FLAVOR_SHARED, win, MPI_ERR_RMA_FLAVOR);
    WIN_REQUIRE(size && unit && base, win, MPI_ERR_ARG);
    WIN_REQUIRE(rank == MPI_PROC_NULL || (rank >= 0 && rank < comm_size(win->comm)), win, MPI_ERR_RANK);
    int of = rank == MPI_PROC_NULL ? 0 : rank;
    /* No rank in particular: the first one that has memory. */
    while (rank == MPI_PROC_NULL && of < comm_size(win->comm) - 1 && !win->remotes[of].size) of++;
    *size = win->remotes[of].size;
    *unit = win->remotes[of].unit;
    *(void **) base = win->remotes[of].shared;
    return MPI_SUCCESS;
}
