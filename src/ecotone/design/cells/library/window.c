/* Windows: their life, and questions about them. What goes on in them is in window_access.c (the calls),
 * window_target.c (the answers) and window_sync.c (who may when). */
#include "window.h"

#include <stdio.h>

int check_win(struct eco_win *win)
{
    if (!initialized() || !win || win->references <= 0) return MPI_ERR_WIN;
    safe_point();
    return MPI_SUCCESS;
}

/* What each rank tells the others about its part. */
struct announcement {
    uint32_t window;
    int32_t size, unit, world;
};

static void meet(struct eco_win *win)
{
    int size = comm_size(win->comm);
    struct announcement own = {(uint32_t) (uintptr_t) win, win->size, win->unit, transport_rank};
    struct announcement *all = eco_allocate((size_t) size * sizeof *all);
    win->remotes = eco_allocate((size_t) size * sizeof *win->remotes);
    MPI_Allgather(&own, sizeof own, MPI_BYTE, all, sizeof own, MPI_BYTE, win->comm);
    for (int i = 0; i < size; i++) {
        struct remote *remote = &win->remotes[i];
        *remote = (struct remote){.window = all[i].window, .size = all[i].size, .unit = all[i].unit};
        remote->world = all[i].world;
    }
    free(all);
    MPI_Barrier(win->comm); /* nobody may send a parcel to one who could not answer it yet */
}

struct eco_win *window_new(void *base, MPI_Aint size, int unit, int flavor, MPI_Info info, MPI_Comm comm)
{
    struct eco_win *win = eco_allocate(sizeof *win);
    *win = (struct eco_win){.references = 1, .base = base, .size = size, .unit = unit, .flavor = flavor};
    win->model = MPI_WIN_UNIFIED;
    win->errhandler = MPI_ERRORS_ARE_FATAL;
    win->info = info_copy(info);
    win->last_wish = &win->wishes;
    comm->local->references++;
    win->comm = comm_new(comm->local, NULL, context_of_child(comm));
    meet(win);
    return win;
}

int window_check_creation(MPI_Comm comm, MPI_Aint size, int unit, const void *result)
{
    int code = check_comm(comm);
    if (code) return code;
    if (comm_is_inter(comm)) return MPI_ERR_COMM;
    if (size < 0) return MPI_ERR_SIZE;
    if (unit <= 0) return MPI_ERR_DISP;
    return result ? MPI_SUCCESS : MPI_ERR_ARG;
}

int MPI_Win_create(void *base, MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, MPI_Win *win)
{
    PASS(comm, window_check_creation(comm, size, unit, win));
    REQUIRE(base || size == 0, comm, MPI_ERR_ARG);
    *win = window_new(base, size, unit, MPI_WIN_FLAVOR_CREATE, info, comm);
    return MPI_SUCCESS;
}

static int give_memory(MPI_Comm comm, MPI_Aint size, void **memory)
{
    int mine, all;
    *memory = aligned_alloc(64, ((size_t) size + 64) & ~63ul);
    mine = *memory != NULL;
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, comm);
    if (all) return MPI_SUCCESS;
    free(*memory);
    return MPI_ERR_NO_MEM;
}

int MPI_Win_allocate(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *win)
{
    void *memory;
    PASS(comm, window_check_creation(comm, size, unit, win));
    REQUIRE(base, comm, MPI_ERR_ARG);
    PASS(comm, give_memory(comm, size, &memory));
    *win = window_new(memory, size, unit, MPI_WIN_FLAVOR_ALLOCATE, info, comm);
    (*win)->own_memory = true;
    *(void **) base = memory;
    return MPI_SUCCESS;
}

int MPI_Win_create_dynamic(MPI_Info info, MPI_Comm comm, MPI_Win *win)
{
    PASS(comm, window_check_creation(comm, 0, 1, win));
    *win = window_new(MPI_BOTTOM, 0, 1, MPI_WIN_FLAVOR_DYNAMIC, info, comm);
    return MPI_SUCCESS;
}

/* ---- Memory of dynamic windows ---- */

int MPI_Win_attach(MPI_Win win, void *base, MPI_Aint size)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(win->flavor == MPI_WIN_FLAVOR_DYNAMIC, win, MPI_ERR_RMA_FLAVOR);
    WIN_REQUIRE(size >= 0, win, MPI_ERR_SIZE);
    struct attached *attached = eco_allocate(sizeof *attached);
    *attached = (struct attached){win->attached, base, size};
    win->attached = attached;
    return MPI_SUCCESS;
}

int MPI_Win_detach(MPI_Win win, const void *base)
{
    WIN_PASS(win, check_win(win));
    struct attached **place = &win->attached;
    while (*place && (*place)->base != base) place = &(*place)->next;
    WIN_REQUIRE(*place, win, MPI_ERR_RMA_ATTACH);
    struct attached *attached = *place;
    *place = attached->next;
    free(attached);
    return MPI_SUCCESS;
}

/* ---- Its end ---- */

static void window_forget(struct eco_win *win)
{
    while (win->attached) {
        struct attached *attached = win->attached;
        win->attached = attached->next;
        free(attached);
    }
    if (win->own_memory) free(win->base);
    if (win->common) window_common_release(win);
    free(win->remotes);
    info_release(win->info);
    errhandler_release(win->errhandler);
    comm_release(win->comm);
    win->references = 0;
    free(win);
}

int MPI_Win_free(MPI_Win *handle)
{
    REQUIRE(handle, NULL, MPI_ERR_ARG);
    struct eco_win *win = *handle;
    WIN_PASS(win, check_win(win));
    bool busy = win->epoch == EPOCH_START || win->epoch == EPOCH_LOCK || win->epoch == EPOCH_LOCK_ALL || win->posted;
    WIN_REQUIRE(!busy, win, MPI_ERR_RMA_SYNC);
    WIN_PASS(win, attributes_delete(win, &win->attributes));
    for (int i = 0; i < comm_size(win->comm); i++) win->remotes[i].sent += win->remotes[i].unlocked; /* to be flushed */
    window_flush_all(win);
    MPI_Barrier(win->comm);
    window_forget(win);
    *handle = MPI_WIN_NULL;
    return MPI_SUCCESS;
}

/* ---- Questions ---- */

int MPI_Win_get_group(MPI_Win win, MPI_Group *group)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(group, win, MPI_ERR_ARG);
    win->comm->local->references++;
    *group = win->comm->local;
    return MPI_SUCCESS;
}

int MPI_Win_set_name(MPI_Win win, const char *name)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(name, win, MPI_ERR_ARG);
    strncpy(win->name, name, MPI_MAX_OBJECT_NAME - 1);
    return MPI_SUCCESS;
}

int MPI_Win_get_name(MPI_Win win, char *name, int *length)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(name && length, win, MPI_ERR_ARG);
    strcpy(name, win->name);
    *length = (int) strlen(name);
    return MPI_SUCCESS;
}

int MPI_Win_set_info(MPI_Win win, MPI_Info info)
{
    WIN_PASS(win, check_win(win));
    info_merge(&win->info, info);
    return MPI_SUCCESS;
}

/* The keys of the standard: what the program has said, or else what holds here anyway. Other keys are ignored. */
int MPI_Win_get_info(MPI_Win win, MPI_Info *info)
{
    static const char *const facts[][2] = {
        {"no_locks", "false"}, {"accumulate_ordering", "rar,raw,war,waw"}, {"accumulate_ops", "same_op_no_op"},
        {"same_size", "false"}, {"same_disp_unit", "false"}, {"alloc_shared_noncontig", "false"}};
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(info, win, MPI_ERR_ARG);
    MPI_Info_create(info);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *said = info_value(win->info, facts[i][0]);
        MPI_Info_set(*info, facts[i][0], said ? said : facts[i][1]);
    }
    return MPI_SUCCESS;
}
