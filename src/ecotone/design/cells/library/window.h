/* Windows: what one-sided calls share. Every call becomes a parcel, which the target's progress engine carries out.
 *
 * Parcels between two ranks stay in order, so a mark that comes back tells that all before it has been done. */
#ifndef ECO_WINDOW_H
#define ECO_WINDOW_H

#include "internal.h"

/* The tag of a parcel's packet. Its `sender` is the address of the receiver's window, its `source` the rank of the one
 * who sends it, and its `context` is free for the kind. */
enum parcel_kind {
    PARCEL_ACCESS = 1, /* put, get, ...: a struct access, a type, data */
    PARCEL_BULK,       /* the data of the access before, if it is much */
    PARCEL_REPLY,      /* `sender`: the request that waits for it */
    PARCEL_MARK,       /* when this has come, answer */
    PARCEL_MARKED,
    PARCEL_LOCK,       /* `context`: 1 exclusive */
    PARCEL_GRANTED,
    PARCEL_UNLOCK,
    PARCEL_POST,
    PARCEL_COMPLETE,
};

enum access_kind { ACCESS_PUT, ACCESS_GET, ACCESS_ACCUMULATE, ACCESS_GET_ACCUMULATE, ACCESS_COMPARE };

struct access {
    int32_t kind;
    int32_t place; /* bytes from the base of the window */
    int32_t count;
    uint32_t op;        /* address of a predefined operator */
    uint32_t request;   /* of the caller, to be answered */
    uint32_t numbers;   /* of the encoded type */
    uint32_t bytes;     /* of data */
    uint32_t bulk;      /* the data comes in the next parcel */
};

enum lock_state { LOCK_NONE, LOCK_ASKED, LOCK_HELD, LOCK_UNCHECKED };
enum epoch { EPOCH_NONE, EPOCH_FENCE, EPOCH_FENCE_USED, EPOCH_START, EPOCH_LOCK, EPOCH_LOCK_ALL };

/* What this rank knows of a window's part at another rank. */
struct remote {
    uint32_t window; /* its address there */
    int world;
    MPI_Aint size;
    int unit;
    void *shared;        /* where its memory lies in ours, if it is shared */
    uint32_t sent, asked, marked; /* bytes of parcels: sent, before the last mark, before the last that came back */
    int pending;         /* calls that wait for a reply, or whose data is not sent yet */
    int posts;           /* announced, and not yet used */
    enum lock_state lock;
    bool started;        /* is among the targets of MPI_Win_start */
    bool unlocked;       /* was told so, and nobody has waited until it knew */
};

struct attached {
    struct attached *next;
    char *base;
    MPI_Aint size;
};

struct lock_wish {
    struct lock_wish *next;
    int rank;
    bool exclusive;
};

struct eco_win {
    int references; /* 1 while it lives */
    struct eco_comm *comm;
    char *base;
    MPI_Aint size;
    int unit, flavor, model;
    bool own_memory;
    struct common *common; /* memory that all its ranks see (window_shared.c) */
    struct remote *remotes; /* by rank */
    struct attached *attached;
    struct attribute *attributes;
    struct eco_errhandler *errhandler;
    struct eco_info *info;
    char name[MPI_MAX_OBJECT_NAME];
    /* as an origin */
    enum epoch epoch;
    int locks; /* held by MPI_Win_lock */
    /* as a target */
    bool posted;
    int origins, completed; /* of the exposure epoch */
    int holders;            /* of the lock: -1 for an exclusive one */
    struct lock_wish *wishes, **last_wish;
};

int check_win(struct eco_win *win);
int win_error(struct eco_win *win, int code, const char *function);
#define WIN_REQUIRE(condition, win, code)                                                                              \
    do {                                                                                                               \
        if (!(condition)) return win_error(win, code, __func__);                                                       \
    } while (0)
#define WIN_PASS(win, expression)                                                                                      \
    do {                                                                                                               \
        int code_ = (expression);                                                                                      \
        if (code_) return win_error(check_win(win) ? NULL : win, code_, __func__);                                     \
    } while (0)

int window_check_creation(MPI_Comm comm, MPI_Aint size, int unit, const void *result);
/* Collective over `comm`; the window has a communicator of its own, so that its messages meet no others. */
struct eco_win *window_new(void *base, MPI_Aint size, int unit, int flavor, MPI_Info info, MPI_Comm comm);
/* Collective, when nobody uses the window any more. */
void window_common_release(struct eco_win *win);

void parcel_send(struct eco_win *win, int rank, enum parcel_kind kind, uint64_t context);
void window_access_done(struct eco_request *request);
/* Waits until what was sent to `rank` has been done there, and all replies are here. */
void window_flush(struct eco_win *win, int rank);
void window_flush_all(struct eco_win *win);
/* Waits until the buffers of calls to `rank` may be used again. */
void window_flush_local(struct eco_win *win, int rank);
/* Not too much may be on its way at a time: who sends faster than the target works has to wait. */
void window_throttle(struct eco_win *win, int rank);

#endif
