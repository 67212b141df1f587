/* One-sided calls, at the side of the caller: checks, the parcel, and the request that waits for what comes back. */
#include "window.h"

#include "reduction.h"

/* Data of this size and more is not copied into the parcel: it follows it, and lands where it belongs. */
#define BULK_LEAST 8192

/* One call, whichever it is. */
struct call {
    enum access_kind kind;
    const void *origin;
    int origin_count;
    struct eco_type *origin_type;
    void *result;
    int result_count;
    struct eco_type *result_type;
    int rank;
    MPI_Aint displacement;
    int count;
    struct eco_type *type;
    struct eco_op *op;
    struct eco_win *win;
};

/* ---- Checks ---- */

static bool may_access(struct eco_win *win, int rank)
{
    switch (win->epoch) {
    case EPOCH_FENCE: win->epoch = EPOCH_FENCE_USED; return true;
    case EPOCH_FENCE_USED: return true;
    case EPOCH_START: return win->remotes[rank].started;
    case EPOCH_LOCK: return win->remotes[rank].lock != LOCK_NONE;
    case EPOCH_LOCK_ALL: return true;
    default: return false;
    }
}

static int check_range(const struct call *call, MPI_Aint place)
{
    const struct remote *remote = &call->win->remotes[call->rank];
    if (call->win->flavor == MPI_WIN_FLAVOR_DYNAMIC || call->count == 0 || call->type->size == 0) return MPI_SUCCESS;
    MPI_Aint span = (call->count - 1) * type_extent(call->type);
    MPI_Aint first = place + call->type->true_lb + (span < 0 ? span : 0);
    MPI_Aint last = place + call->type->true_ub + (span > 0 ? span : 0);
    return first >= 0 && last <= remote->size ? MPI_SUCCESS : MPI_ERR_RMA_RANGE;
}

static int check_op(const struct call *call)
{
    struct eco_type *basic = type_basic(call->type);
    if (!call->op || call->op->function) return MPI_ERR_OP;
    if (call->type->size && !basic) return MPI_ERR_TYPE;
    if (call->op == MPI_REPLACE || (call->op == MPI_NO_OP && call->kind == ACCESS_GET_ACCUMULATE)) return MPI_SUCCESS;
    if (call->op == MPI_NO_OP) return MPI_ERR_OP;
    return call->type->size == 0 || !op_check(call->op, basic) ? MPI_SUCCESS : MPI_ERR_OP;
}

static bool has_origin(const struct call *call)
{
    return call->kind != ACCESS_GET && !(call->kind == ACCESS_GET_ACCUMULATE && call->op == MPI_NO_OP);
}

static int check_call(const struct call *call)
{
    if (call->rank != MPI_PROC_NULL && (call->rank < 0 || call->rank >= comm_size(call->win->comm)))
        return MPI_ERR_RANK;
    int code = check_data((void *) 1, call->count, call->type);
    if (!code && has_origin(call)) code = check_data(call->origin, call->origin_count, call->origin_type);
    if (!code && call->result_type) code = check_data(call->result, call->result_count, call->result_type);
    if (!code && (call->kind == ACCESS_ACCUMULATE || call->kind == ACCESS_GET_ACCUMULATE)) code = check_op(call);
    return code;
}

/* ---- Parcels ---- */

void parcel_send(struct eco_win *win, int rank, enum parcel_kind kind, uint64_t context)
{
    struct packet header = {
        .kind = PACKET_DATA,
        .context = context,
        .source = win->comm->rank,
        .tag = (int32_t) kind,
        .sender = win->remotes[rank].window,
    };
    transport_send(win->remotes[rank].world, &header, NULL, NULL, NULL);
}

static struct eco_request *waiting_request(const struct call *call, struct eco_request *request)
{
    if (!request) {
        request = request_new(REQUEST_ACCESS);
        request->detached = true;
    }
    request->window = call->win;
    request->peer = call->rank;
    request->buffer = call->result;
    request->count = call->result_count;
    if (call->result_type) request->type = type_hold(call->result_type);
    call->win->remotes[call->rank].pending++;
    return request;
}

void window_access_done(struct eco_request *request)
{
    request->window->remotes[request->peer].pending--;
    request->window = NULL;
}

/* The origin's data as one run of bytes, if it is one. */
static const char *origin_run(const struct call *call)
{
    const struct eco_type *type = call->origin_type;
    bool run = type_whole(type) || (call->origin_count == 1 && type->dense);
    return run ? (const char *) call->origin + type->true_lb : NULL;
}

static void send_bulk(const struct call *call, const char *data, uint32_t bytes, struct eco_request *notify)
{
    struct packet header = {
        .kind = PACKET_DATA,
        .bytes = bytes,
        .source = call->win->comm->rank,
        .tag = PARCEL_BULK,
        .sender = call->win->remotes[call->rank].window,
    };
    transport_send(call->win->remotes[call->rank].world, &header, data, notify, NULL);
}

/* The parcel: the access, the target's type, and the data if it is not sent apart. */
static void send_access(const struct call *call, struct access *access, const char *run)
{
    struct remote *remote = &call->win->remotes[call->rank];
    uint32_t inside = access->bulk ? 0 : access->bytes;
    access->numbers = (uint32_t) type_encode(call->type, NULL);
    uint32_t data_at = (uint32_t) sizeof *access + ((access->numbers * 4 + 15) & ~15u);
    char *parcel = eco_allocate(data_at + inside);
    memcpy(parcel, access, sizeof *access);
    type_encode(call->type, (int32_t *) (parcel + sizeof *access));
    if (inside && run)
        memcpy(parcel + data_at, run, inside);
    else if (inside)
        layout_pack(call->origin, call->origin_count, call->origin_type, parcel + data_at, inside);
    struct packet header = {
        .kind = PACKET_DATA,
        .bytes = data_at + inside,
        .source = call->win->comm->rank,
        .tag = PARCEL_ACCESS,
        .sender = remote->window,
    };
    remote->sent += header.bytes + 64 + (access->bulk ? access->bytes : 0);
    transport_send(remote->world, &header, parcel, NULL, parcel);
}

static uint32_t transferred(const struct call *call)
{
    size_t there = (size_t) call->count * call->type->size;
    size_t here = has_origin(call) ? (size_t) call->origin_count * call->origin_type->size : 0;
    return (uint32_t) (call->kind == ACCESS_COMPARE || here < there ? here : there);
}

/* `request` is NULL for calls that have none; it may be complete when this returns. */
static void carry_out(const struct call *call, MPI_Aint place, struct eco_request *request)
{
    struct access access = {.kind = call->kind, .place = place, .count = call->count};
    access.op = (uint32_t) (uintptr_t) call->op;
    access.bytes = has_origin(call) ? transferred(call) : 0;
    const char *run = access.bytes ? origin_run(call) : NULL;
    access.bulk = run && access.bytes >= BULK_LEAST;
    bool replies = call->result_type != NULL;
    struct eco_request *waiting = replies || access.bulk ? waiting_request(call, request) : request;
    if (replies) access.request = (uint32_t) (uintptr_t) waiting;
    send_access(call, &access, run);
    if (access.bulk) send_bulk(call, run, access.bytes, replies ? NULL : waiting); /* a reply comes after all of it */
    if (waiting && waiting == request && !replies && !access.bulk) request_complete(request);
}

static int start(const struct call *call, bool passive, struct eco_request **result)
{
    int code = check_win(call->win);
    if (!code) code = check_call(call);
    if (code) return code;
    struct eco_request *request = result ? request_new(REQUEST_ACCESS) : NULL;
    if (call->rank == MPI_PROC_NULL) {
        if (request) request_complete(request);
        if (result) *result = request;
        return MPI_SUCCESS;
    }
    MPI_Aint place = call->displacement * call->win->remotes[call->rank].unit;
    if (!may_access(call->win, call->rank)) code = MPI_ERR_RMA_SYNC;
    if (passive && call->win->epoch != EPOCH_LOCK && call->win->epoch != EPOCH_LOCK_ALL) code = MPI_ERR_RMA_SYNC;
    if (!code) code = check_range(call, place);
    if (code) {
        if (request) request_complete(request);
        if (request) request_release(request);
        return code;
    }
    carry_out(call, place, request);
    window_throttle(call->win, call->rank);
    if (result) *result = request;
    return MPI_SUCCESS;
}

/* ---- The calls ---- */

/* Each with its twin that has a request. */
#define ONE_SIDED(name, with_request, parameters, ...)                                                                 \
    int MPI_##name(parameters, MPI_Win win)                                                                            \
    {                                                                                                                  \
        struct call call = {.win = win, __VA_ARGS__};                                                                  \
        WIN_PASS(win, start(&call, false, NULL));                                                                      \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_##with_request(parameters, MPI_Win win, MPI_Request *request)                                              \
    {                                                                                                                  \
        struct call call = {.win = win, __VA_ARGS__};                                                                  \
        WIN_REQUIRE(request, win, MPI_ERR_REQUEST);                                                                    \
        WIN_PASS(win, start(&call, true, request));                                                                    \
        return MPI_SUCCESS;                                                                                            \
    }
#define PARAMETERS(...) __VA_ARGS__
#define TARGET .rank = rank, .displacement = displacement, .count = count, .type = type

ONE_SIDED(Put, Rput,
          PARAMETERS(const void *origin, int origin_count, MPI_Datatype origin_type, int rank, MPI_Aint displacement,
                     int count, MPI_Datatype type),
          .kind = ACCESS_PUT, .origin = origin, .origin_count = origin_count, .origin_type = origin_type, TARGET)
ONE_SIDED(Get, Rget,
          PARAMETERS(void *result, int result_count, MPI_Datatype result_type, int rank, MPI_Aint displacement,
                     int count, MPI_Datatype type),
          .kind = ACCESS_GET, .result = result, .result_count = result_count, .result_type = result_type, TARGET)
ONE_SIDED(Accumulate, Raccumulate,
          PARAMETERS(const void *origin, int origin_count, MPI_Datatype origin_type, int rank, MPI_Aint displacement,
                     int count, MPI_Datatype type, MPI_Op op),
          .kind = ACCESS_ACCUMULATE, .origin = origin, .origin_count = origin_count, .origin_type = origin_type,
          .op = op, TARGET)
ONE_SIDED(Get_accumulate, Rget_accumulate,
          PARAMETERS(const void *origin, int origin_count, MPI_Datatype origin_type, void *result, int result_count,
                     MPI_Datatype result_type, int rank, MPI_Aint displacement, int count, MPI_Datatype type,
                     MPI_Op op),
          .kind = ACCESS_GET_ACCUMULATE, .origin = origin, .origin_count = origin_count, .origin_type = origin_type,
          .result = result, .result_count = result_count, .result_type = result_type, .op = op, TARGET)

int MPI_Fetch_and_op(const void *origin, void *result, MPI_Datatype type, int rank, MPI_Aint displacement, MPI_Op op,
                     MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(type && type->references == 0, win, MPI_ERR_TYPE);
    return MPI_Get_accumulate(origin, 1, type, result, 1, type, rank, displacement, 1, type, op, win);
}

/* The standard allows what can be compared bit by bit. */
static bool comparable(const struct eco_type *type)
{
    bool fits = type->element_class == CLASS_INTEGER || type->element_class == CLASS_LOGICAL ||
                type->element_class == CLASS_BYTE;
    return fits && type->references == 0;
}

int MPI_Compare_and_swap(const void *origin, const void *compare, void *result, MPI_Datatype type, int rank,
                         MPI_Aint displacement, MPI_Win win)
{
    WIN_PASS(win, check_win(win));
    WIN_REQUIRE(type && comparable(type), win, MPI_ERR_TYPE);
    WIN_REQUIRE(origin && compare && result, win, MPI_ERR_BUFFER);
    char both[32]; /* what is expected, and what shall be there instead */
    memcpy(both, compare, (size_t) type->size);
    memcpy(both + type->size, origin, (size_t) type->size);
    struct call call = {.kind = ACCESS_COMPARE, .origin = both, .origin_count = (int) (2 * type->size),
                        .origin_type = MPI_BYTE, .result = result, .result_count = 1, .result_type = type,
                        .rank = rank, .displacement = displacement, .count = 1, .type = type, .win = win};
    WIN_PASS(win, start(&call, false, NULL));
    return MPI_SUCCESS;
}
