/* Windows whose memory all ranks of a node see as their own.
 *
 * Behind the region that the ranks of a node share are pages for windows, so many for each rank; pages that nobody has
 * written take no memory. The first rank of a window gives some of its own pages for all of it, and every rank asks the
 * host to lay them over a stretch that it has added to its memory. From then on none of them can leave the node, until
 * the window is freed. Both kinds of pages are used again, so there are two lists of those that are free. */
#include "window.h"

#define HOST(name) __attribute__((import_module("eco"), import_name(name)))
HOST("share") void host_share(void *start, uint32_t page, uint32_t bytes); /* lays the node's pages from `page` on there */
HOST("unshare") void host_unshare(void *start); /* takes them away, and empties them for all */

#define PAGE 65536u
#define PAGES_MOST 65536u /* that can be addressed */
#define NOWHERE UINT32_MAX
#define LINE 64

struct stretch {
    struct stretch *next;
    uint32_t first, pages;
};
static struct stretch *free_memory; /* of this rank's own, by address */
static struct stretch *free_pages;  /* of those that it may give, counted from its first */

struct common {
    char *start;         /* in this rank's memory */
    uint32_t pages, given; /* `given` by the first rank, which alone knows it */
};

/* ---- Free pages ---- */

static uint32_t take(struct stretch **list, uint32_t pages)
{
    struct stretch **place = list;
    while (*place && (*place)->pages < pages) place = &(*place)->next;
    struct stretch *stretch = *place;
    if (!stretch) return NOWHERE;
    uint32_t first = stretch->first;
    stretch->first += pages;
    stretch->pages -= pages;
    if (!stretch->pages) {
        *place = stretch->next;
        free(stretch);
    }
    return first;
}

static void give_back(struct stretch **list, uint32_t first, uint32_t pages)
{
    struct stretch **place = list;
    while (*place && (*place)->first + (*place)->pages < first) place = &(*place)->next;
    struct stretch *left = *place;
    if (left && left->first + left->pages == first) {
        left->pages += pages;
    } else {
        left = eco_allocate(sizeof *left);
        *left = (struct stretch){*place, first, pages};
        *place = left;
    }
    struct stretch *right = left->next;
    if (!right || left->first + left->pages != right->first) return;
    left->pages += right->pages;
    left->next = right->next;
    free(right);
}

static char *take_memory(uint32_t pages)
{
    uint32_t first = take(&free_memory, pages);
    if (first != NOWHERE) return (char *) (uintptr_t) (first * PAGE);
    size_t grown = __builtin_wasm_memory_grow(0, pages);
    return grown == (size_t) -1 ? NULL : (char *) (grown * PAGE);
}

static uint32_t take_pages(uint32_t pages)
{
    static bool begun;
    uint32_t first, all = transport_window_pages(&first);
    if (!begun && all) give_back(&free_pages, 0, all);
    begun = begun || all;
    return take(&free_pages, pages);
}

/* ---- Memory for a window ---- */

enum result { RESULT_APART, RESULT_NO_MEMORY, RESULT_SHARED }; /* the least of all ranks counts */

static bool all_near(const struct eco_comm *comm)
{
    for (int i = 0; i < comm_size(comm); i++)
        if (!transport_is_near(comm->local->world[i])) return false;
    return true;
}

/* No safe point is between looking who is near and sharing with them, after which nobody who has shared can leave. */
static enum result lay(struct common *common, uint32_t page, const struct eco_comm *comm)
{
    char *memory = page == NOWHERE ? NULL : take_memory(common->pages);
    if (!memory) return RESULT_NO_MEMORY;
    if (!all_near(comm)) {
        give_back(&free_memory, (uint32_t) ((uintptr_t) memory / PAGE), common->pages);
        return RESULT_APART;
    }
    host_share(memory, page, common->pages * PAGE);
    common->start = memory;
    return RESULT_SHARED;
}

/* The first rank shares before it tells which pages: so they are of the node on which it stays. */
static int common_lay(struct common *common, MPI_Comm comm)
{
    uint32_t page = NOWHERE;
    int mine = RESULT_NO_MEMORY, all;
    if (comm->rank == 0 && (common->given = take_pages(common->pages)) != NOWHERE) {
        transport_window_pages(&page);
        page += common->given;
        mine = lay(common, page, comm);
        if (mine != RESULT_SHARED) page = NOWHERE;
    }
    MPI_Bcast(&page, 1, MPI_UINT32_T, 0, comm);
    if (comm->rank) mine = lay(common, page, comm);
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, comm);
    if (all == RESULT_SHARED) return MPI_SUCCESS;
    return all == RESULT_APART ? MPI_ERR_RMA_SHARED : MPI_ERR_NO_MEM;
}

/* The pages are free when all have taken them from their memory. */
static void common_free(struct common *common, MPI_Comm comm)
{
    if (common->start) {
        host_unshare(common->start);
        give_back(&free_memory, (uint32_t) ((uintptr_t) common->start / PAGE), common->pages);
    }
    MPI_Barrier(comm);
    if (common->given != NOWHERE) give_back(&free_pages, common->given, common->pages);
    free(common);
}

void window_common_release(struct eco_win *win) { common_free(win->common, win->comm); }

/* How far the part of the next rank lies behind one of `size` bytes: directly, if the program does not allow gaps. */
static long long step(MPI_Aint size, bool gaps) { return gaps ? ((long long) size + LINE - 1) / LINE * LINE : size; }

static bool is_true(const char *said) { return said && !strcmp(said, "true"); }

/* What all ranks want together; what the first one says of gaps holds for all. */
static uint32_t pages_wanted(MPI_Aint size, bool *gaps, MPI_Comm comm)
{
    int own[2] = {size, *gaps}, ranks = comm_size(comm), *all = eco_allocate((size_t) ranks * sizeof own);
    long long bytes = 1;
    MPI_Allgather(own, 2, MPI_INT, all, 2, MPI_INT, comm);
    *gaps = all[1];
    for (int i = 0; i < ranks; i++) bytes += step(all[2 * i], *gaps);
    free(all);
    return bytes < (long long) PAGES_MOST * PAGE ? (uint32_t) ((bytes + PAGE - 1) / PAGE) : PAGES_MOST;
}

static struct eco_win *window_over(struct common *common, bool gaps, MPI_Aint size, int unit, MPI_Info info,
                                   MPI_Comm comm)
{
    struct eco_win *win = window_new(NULL, size, unit, MPI_WIN_FLAVOR_SHARED, info, comm);
    win->common = common;
    char *part = common->start;
    for (int i = 0; i < comm_size(comm); i++) {
        win->remotes[i].shared = part;
        part += step(win->remotes[i].size, gaps);
    }
    win->base = win->remotes[comm->rank].shared;
    return win;
}

/* A rank alone shares with nobody: it may go where it wants. */
static int allocate_alone(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *win)
{
    int code = MPI_Win_allocate(size, unit, info, comm, base, win);
    if (code) return code;
    (*win)->flavor = MPI_WIN_FLAVOR_SHARED;
    (*win)->remotes[0].shared = (*win)->base;
    return MPI_SUCCESS;
}

int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *win)
{
    PASS(comm, window_check_creation(comm, size, unit, win));
    REQUIRE(base, comm, MPI_ERR_ARG);
    if (comm_size(comm) == 1) return allocate_alone(size, unit, info, comm, base, win);
    bool gaps = is_true(info_value(info, "alloc_shared_noncontig"));
    struct common *common = eco_allocate(sizeof *common);
    *common = (struct common){.pages = pages_wanted(size, &gaps, comm), .given = NOWHERE};
    int code = common_lay(common, comm);
    if (code) common_free(common, comm);
    PASS(comm, code);
    *win = window_over(common, gaps, size, unit, info, comm);
    *(void **) base = (*win)->base;
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
