/* Epochs of one-sided communication: fences, post and start, locks, and flushing. */
#include "window.h"

/* Parcels under way to one target: ask for a sign of life at half of this, and wait for it at the whole. */
#define UNDERWAY_MOST (2u << 20)

/* ---- Flushing ---- */

static void ask_for_mark(struct eco_win *win, int rank)
{
    struct remote *remote = &win->remotes[rank];
    if (remote->asked == remote->sent) return;
    remote->asked = remote->sent;
    parcel_send(win, rank, PARCEL_MARK, remote->sent);
}

static bool is_settled(const struct remote *remote) { return remote->marked == remote->sent && !remote->pending; }

void window_flush(struct eco_win *win, int rank)
{
    const struct remote *remote = &win->remotes[rank];
    ask_for_mark(win, rank);
    WAIT_WHILE(!is_settled(remote));
}

void window_flush_all(struct eco_win *win)
{
    for (int i = 0; i < comm_size(win->comm); i++) ask_for_mark(win, i);
    for (int i = 0; i < comm_size(win->comm); i++) WAIT_WHILE(!is_settled(&win->remotes[i]));
}

void window_flush_local(struct eco_win *win, int rank) { WAIT_WHILE(win->remotes[rank].pending); }

void window_throttle(struct eco_win *win, int rank)
{
    const struct remote *remote = &win->remotes[rank];
    if (remote->sent - remote->asked >= UNDERWAY_MOST / 2) ask_for_mark(win, rank);
    if (remote->sent - remote->marked >= UNDERWAY_MOST) WAIT_WHILE(remote->marked != remote->asked);
}

static int check_rank(struct eco_win *win, int rank)
{
    int code = check_win(win);
    if (code) return code;
    return rank == MPI_PROC_NULL || (rank >= 0 && rank < comm_size(win->comm)) ? MPI_SUCCESS : MPI_ERR_RANK;
}

/* Flushing is for passive targets. */
static int check_passive(struct eco_win *win, int rank)
{
    int code = check_rank(win, rank);
    if (code || rank == MPI_PROC_NULL) return code;
    bool held = win->epoch == EPOCH_LOCK_ALL || (win->epoch == EPOCH_LOCK && win->remotes[rank].lock);
    return held ? MPI_SUCCESS : MPI_ERR_RMA_SYNC;
}

static int check_passive_all(struct eco_win *win)
{
    int code = check_win(win);
    if (code) return code;
    return win->epoch == EPOCH_LOCK_ALL || win->epoch == EPOCH_LOCK ? MPI_SUCCESS : MPI_ERR_RMA_SYNC;
}

int MPI_Win_flush(int rank, MPI_Win win)
{
    WIN_PASS(win, check_passive(win, rank));
    if (rank != MPI_PROC_NULL) window_flush(win, rank);
    return MPI_SUCCESS;
}

int MPI_Win_flush_all(MPI_Win win)
{
    WIN_PASS(win, check_passive_all(win));
    window_flush_all(win);
    return MPI_SUCCESS;
}

int MPI_Win_flush_local(int rank, MPI_Win win)
{
    WIN_PASS(win, check_passive(win, rank));
    if (rank != MPI_PROC_NULL) window_flush_local(win, rank);
    return MPI_SUCCESS;
}

int MPI_Win_flush_local_all(MPI_Win win)
{
    WIN_PASS(win, check_passive_all(win));
    for (int i = 0; i < comm_size(win->comm); i++) window_flush_local(win, i);
    return MPI_SUCCESS;
}

/* Memory has one copy only; but who waits in a loop for another rank's access needs progress. */
int MPI_Win_sync(MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    progress();
    return MPI_SUCCESS;
}

/* ---- Fence ---- */

int MPI_Win_fence(int assertion, MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    bool free_for_it = win->epoch == EPOCH_NONE || win->epoch == EPOCH_FENCE || win->epoch == EPOCH_FENCE_USED;
    WIN_REQUIRE(free_for_it, win, MPI_ERR_RMA_SYNC);
    int known = MPI_MODE_NOSTORE | MPI_MODE_NOPUT | MPI_MODE_NOPRECEDE | MPI_MODE_NOSUCCEED | MPI_MODE_NOCHECK;
    WIN_REQUIRE(!(assertion & ~known), win, MPI_ERR_ASSERT);
    window_flush_all(win);
    MPI_Barrier(win->comm);
    win->epoch = assertion & MPI_MODE_NOSUCCEED ? EPOCH_NONE : EPOCH_FENCE;
    return MPI_SUCCESS;
}

/* ---- Post, start, complete, wait ---- */

static bool in_fence(const struct eco_win *win) { return win->epoch == EPOCH_FENCE; } /* opened, and not used */

static int check_members(struct eco_win *win, const struct eco_group *group)
{
    if (!group) return MPI_ERR_GROUP;
    for (int i = 0; i < group->size; i++)
        if (group_position(win->comm->local, group->world[i]) == MPI_UNDEFINED) return MPI_ERR_GROUP;
    return MPI_SUCCESS;
}

int MPI_Win_post(MPI_Group group, int assertion, MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_PASS(win, check_members(win, group));
    WIN_REQUIRE(!win->posted, win, MPI_ERR_RMA_SYNC);
    win->posted = true;
    win->origins = group->size;
    if (assertion & MPI_MODE_NOCHECK) return MPI_SUCCESS;
    for (int i = 0; i < group->size; i++)
        parcel_send(win, group_position(win->comm->local, group->world[i]), PARCEL_POST, 0);
    return MPI_SUCCESS;
}

int MPI_Win_start(MPI_Group group, int assertion, MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_PASS(win, check_members(win, group));
    WIN_REQUIRE(win->epoch == EPOCH_NONE || in_fence(win), win, MPI_ERR_RMA_SYNC);
    for (int i = 0; i < group->size; i++) {
        struct remote *remote = &win->remotes[group_position(win->comm->local, group->world[i])];
        remote->started = true;
        if (assertion & MPI_MODE_NOCHECK) continue;
        WAIT_WHILE(!remote->posts);
        remote->posts--;
    }
    win->epoch = EPOCH_START;
    return MPI_SUCCESS;
}

int MPI_Win_complete(MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(win->epoch == EPOCH_START, win, MPI_ERR_RMA_SYNC);
    for (int i = 0; i < comm_size(win->comm); i++) {
        if (!win->remotes[i].started) continue;
        window_flush_local(win, i);
        parcel_send(win, i, PARCEL_COMPLETE, 0);
        win->remotes[i].started = false;
    }
    win->epoch = EPOCH_NONE;
    return MPI_SUCCESS;
}

static void end_exposure(struct eco_win *win)
{
    win->completed -= win->origins;
    win->origins = 0;
    win->posted = false;
}

int MPI_Win_wait(MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(win->posted, win, MPI_ERR_RMA_SYNC);
    WAIT_WHILE(win->completed < win->origins);
    end_exposure(win);
    return MPI_SUCCESS;
}

int MPI_Win_test(MPI_Win win, int *flag)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(flag, win, MPI_ERR_ARG);
    WIN_REQUIRE(win->posted, win, MPI_ERR_RMA_SYNC);
    if (win->completed < win->origins) progress();
    *flag = win->completed >= win->origins;
    if (*flag) end_exposure(win);
    return MPI_SUCCESS;
}

/* ---- Locks ---- */

static void ask_for_lock(struct eco_win *win, int rank, bool exclusive, int assertion)
{
    bool unchecked = assertion & MPI_MODE_NOCHECK;
    win->remotes[rank].lock = unchecked ? LOCK_UNCHECKED : LOCK_ASKED;
    if (!unchecked) parcel_send(win, rank, PARCEL_LOCK, exclusive);
}

static void unlock(struct eco_win *win, int rank)
{
    struct remote *remote = &win->remotes[rank];
    if (remote->lock == LOCK_HELD) {
        parcel_send(win, rank, PARCEL_UNLOCK, 0);
        remote->unlocked = true;
    }
    remote->lock = LOCK_NONE;
}

int MPI_Win_lock(int type, int rank, int assertion, MPI_Win win)
{
    WIN_PASS(win, check_rank(win, rank));
    WIN_REQUIRE(type == MPI_LOCK_SHARED || type == MPI_LOCK_EXCLUSIVE, win, MPI_ERR_LOCKTYPE);
    WIN_REQUIRE(!(assertion & ~MPI_MODE_NOCHECK), win, MPI_ERR_ASSERT);
    if (rank == MPI_PROC_NULL) return MPI_SUCCESS;
    bool free_for_it = win->epoch == EPOCH_NONE || in_fence(win) || win->epoch == EPOCH_LOCK;
    WIN_REQUIRE(free_for_it && !win->remotes[rank].lock, win, MPI_ERR_RMA_SYNC);
    WIN_REQUIRE(!win->posted, win, MPI_ERR_RMA_SYNC);
    ask_for_lock(win, rank, type == MPI_LOCK_EXCLUSIVE, assertion);
    WAIT_WHILE(win->remotes[rank].lock == LOCK_ASKED);
    win->epoch = EPOCH_LOCK;
    win->locks++;
    return MPI_SUCCESS;
}

int MPI_Win_unlock(int rank, MPI_Win win)
{
    WIN_PASS(win, check_rank(win, rank));
    if (rank == MPI_PROC_NULL) return MPI_SUCCESS;
    WIN_REQUIRE(win->epoch == EPOCH_LOCK && win->remotes[rank].lock, win, MPI_ERR_RMA_SYNC);
    window_flush(win, rank);
    unlock(win, rank);
    if (--win->locks == 0) win->epoch = EPOCH_NONE;
    return MPI_SUCCESS;
}

int MPI_Win_lock_all(int assertion, MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(!(assertion & ~MPI_MODE_NOCHECK), win, MPI_ERR_ASSERT);
    WIN_REQUIRE((win->epoch == EPOCH_NONE || in_fence(win)) && !win->posted, win, MPI_ERR_RMA_SYNC);
    for (int i = 0; i < comm_size(win->comm); i++) ask_for_lock(win, i, false, assertion);
    for (int i = 0; i < comm_size(win->comm); i++) WAIT_WHILE(win->remotes[i].lock == LOCK_ASKED);
    win->epoch = EPOCH_LOCK_ALL;
    return MPI_SUCCESS;
}

int MPI_Win_unlock_all(MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(win->epoch == EPOCH_LOCK_ALL, win, MPI_ERR_RMA_SYNC);
    window_flush_all(win);
    for (int i = 0; i < comm_size(win->comm); i++) unlock(win, i);
    win->epoch = EPOCH_NONE;
    return MPI_SUCCESS;
}
