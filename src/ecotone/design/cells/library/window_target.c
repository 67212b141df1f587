/* One-sided calls, at the side of the target: the progress engine brings parcels, and what they ask for is done here,
 * one after the other, which makes every access atomic. */
#include "window.h"

#include "reduction.h"

#include <stdio.h>

static struct eco_win *window_of(const struct packet *header) { return (struct eco_win *) (uintptr_t) header->sender; }

/* An access whose data is still to come; there is one for each sender at most. */
struct expected {
    struct eco_win *win;
    struct access access;
    struct eco_type *type;
    int rank;
};
static struct expected *expected; /* by rank in the world */

/* ---- Accumulating ---- */

/* Operates on `count` predefined elements of `type`, end to end at `target`, from a packed run of data. */
static void accumulate_basic(const struct eco_op *op, const char **data, char *target, int count,
                             const struct eco_type *type)
{
    size_t bytes = (size_t) count * type->size;
    if (op == MPI_REPLACE) {
        layout_unpack(target, count, type, *data, bytes);
    } else if (type->whole) {
        type->reduction->loops[op->builtin](*data, target, count);
    } else {
        char *element = eco_allocate((size_t) (count * type_extent(type)));
        layout_unpack(element, count, type, *data, bytes);
        type->reduction->loops[op->builtin](element, target, count);
        free(element);
    }
    *data += bytes;
}

static void accumulate(const struct eco_op *op, const char **data, const char *end, char *target, int count,
                       const struct eco_type *type)
{
    if (type->references == 0 && type->size) {
        int left = (int) ((end - *data) / type->size);
        accumulate_basic(op, data, target, count < left ? count : left, type);
        return;
    }
    for (int i = 0; i < count; i++, target += type_extent(type))
        for (int r = 0; r < type->repeats; r++)
            for (int p = 0; p < type->part_count; p++) {
                const struct part *part = &type->parts[p];
                accumulate(op, data, end, target + r * type->stride + part->offset, part->blocks, part->type);
            }
}

/* ---- Answers ---- */

static bool is_run(int count, const struct eco_type *type) { return type->whole || (count == 1 && type->dense); }

/* `owned`: a copy, freed when it has gone; else it is sent from the window, whose epoch does not end before. */
static void reply(int to, uint32_t request, const char *data, uint32_t bytes, void *owned)
{
    struct packet header = {.kind = PACKET_DATA, .bytes = bytes, .tag = PARCEL_REPLY, .sender = request};
    transport_send(to, &header, data, NULL, owned);
}

static void reply_with_elements(int to, uint32_t request, const char *place, int count, const struct eco_type *type,
                                bool may_change)
{
    uint32_t bytes = (uint32_t) (count * type->size);
    if (!may_change && bytes && is_run(count, type)) {
        reply(to, request, place + type->true_lb, bytes, NULL);
        return;
    }
    char *copy = eco_allocate(bytes);
    layout_pack(place, count, type, copy, bytes);
    reply(to, request, copy, bytes, copy);
}

static void compare_and_swap(int from, const struct access *access, char *place, const char *data)
{
    size_t size = access->bytes / 2;
    char *old = eco_allocate(size);
    memcpy(old, place, size);
    if (memcmp(place, data, size) == 0) memcpy(place, data + size, size);
    reply(from, access->request, old, (uint32_t) size, old);
}

/* Pieces that were attached one by one may lie side by side. */
static bool within(const struct attached *attached, const char *first, const char *last)
{
    const char *covered = first;
    for (const struct attached *piece = attached; piece && covered < last;) {
        bool further = covered >= piece->base && covered < piece->base + piece->size;
        if (further) covered = piece->base + piece->size;
        piece = further ? attached : piece->next;
    }
    return covered >= last;
}

/* The caller cannot know what is attached here, so it is checked here. */
static void check_attached(const struct eco_win *win, const struct access *access, const struct eco_type *type, int from)
{
    if (win->flavor != MPI_WIN_FLAVOR_DYNAMIC || access->count == 0 || type->size == 0) return;
    const char *place = win->base + access->place;
    MPI_Aint span = (access->count - 1) * type_extent(type);
    if (within(win->attached, place + type->true_lb + (span < 0 ? span : 0),
               place + type->true_ub + (span > 0 ? span : 0)))
        return;
    fprintf(stderr, "ecotone: rank %d accessed memory of rank %d that is not attached to the window\n", from,
            transport_rank);
    eco_abort(MPI_ERR_RMA_RANGE);
}

static void carry_out(int from, struct eco_win *win, const struct access *access, const struct eco_type *type,
                      const char *data)
{
    char *place = win->base + access->place;
    struct eco_op *op = (struct eco_op *) (uintptr_t) access->op;
    switch (access->kind) {
    case ACCESS_PUT: layout_unpack(place, access->count, type, data, access->bytes); break;
    case ACCESS_GET: reply_with_elements(from, access->request, place, access->count, type, false); break;
    case ACCESS_GET_ACCUMULATE:
        reply_with_elements(from, access->request, place, access->count, type, true);
        if (op != MPI_NO_OP) accumulate(op, &data, data + access->bytes, place, access->count, type);
        break;
    case ACCESS_ACCUMULATE: accumulate(op, &data, data + access->bytes, place, access->count, type); break;
    case ACCESS_COMPARE: compare_and_swap(from, access, place, data); break;
    }
}

static void take_access(int from, const struct packet *header, const char *parcel)
{
    struct eco_win *win = window_of(header);
    struct access access;
    memcpy(&access, parcel, sizeof access);
    const int32_t *numbers = (const int32_t *) (parcel + sizeof access);
    const char *data = parcel + sizeof access + ((access.numbers * 4 + 15) & ~15u);
    struct eco_type *type = type_decode(&numbers);
    check_attached(win, &access, type, header->source);
    if (access.bulk) {
        expected[from] = (struct expected){win, access, type, header->source};
        return;
    }
    carry_out(from, win, &access, type, data);
    type_release(type);
}

static void take_bulk(int from, const char *data)
{
    struct expected *is = &expected[from];
    bool landed = is->access.kind == ACCESS_PUT && is_run(is->access.count, is->type);
    if (!landed) carry_out(from, is->win, &is->access, is->type, data);
    type_release(is->type);
}

/* ---- Locks ---- */

static bool grantable(const struct eco_win *win, bool exclusive)
{
    return exclusive ? win->holders == 0 : win->holders >= 0;
}

static void grant(struct eco_win *win, int rank, bool exclusive)
{
    win->holders = exclusive ? -1 : win->holders + 1;
    parcel_send(win, rank, PARCEL_GRANTED, 0);
}

/* In the order of coming, so that nobody starves. */
static void grant_wishes(struct eco_win *win)
{
    while (win->wishes && grantable(win, win->wishes->exclusive)) {
        struct lock_wish *wish = win->wishes;
        win->wishes = wish->next;
        if (!win->wishes) win->last_wish = &win->wishes;
        grant(win, wish->rank, wish->exclusive);
        free(wish);
    }
}

static void take_lock_wish(struct eco_win *win, int rank, bool exclusive)
{
    struct lock_wish *wish = eco_allocate(sizeof *wish);
    *wish = (struct lock_wish){NULL, rank, exclusive};
    *win->last_wish = wish;
    win->last_wish = &wish->next;
    grant_wishes(win);
}

static void take_unlock(struct eco_win *win)
{
    win->holders = win->holders < 0 ? 0 : win->holders - 1;
    grant_wishes(win);
}

/* ---- What the transport brings ---- */

static void begin_reply(const struct packet *header, struct delivery *delivery)
{
    struct eco_request *request = (struct eco_request *) (uintptr_t) header->sender;
    uint32_t room = (uint32_t) (request->count * request->type->size);
    delivery->request = request;
    delivery->room = header->bytes < room ? header->bytes : room;
    if (is_run(request->count, request->type))
        delivery->into = (char *) request->buffer + request->type->true_lb;
    else
        delivery->into = request->packed = eco_allocate(delivery->room);
}

static void end_reply(struct delivery *delivery)
{
    struct eco_request *request = delivery->request;
    if (request->packed) {
        layout_unpack((void *) request->buffer, request->count, request->type, request->packed, delivery->room);
        free(request->packed);
        request->packed = NULL;
    }
    request_complete(request);
}

static void begin_bulk(int from, const struct packet *header, struct delivery *delivery)
{
    const struct expected *is = &expected[from];
    delivery->room = header->bytes;
    if (is->access.kind == ACCESS_PUT && is_run(is->access.count, is->type))
        delivery->into = is->win->base + is->access.place + is->type->true_lb;
    else
        delivery->into = eco_allocate(header->bytes);
}

static void end_bulk(int from, struct delivery *delivery)
{
    const struct expected *is = &expected[from];
    bool landed = is->access.kind == ACCESS_PUT && is_run(is->access.count, is->type);
    char *data = delivery->into;
    take_bulk(from, data);
    if (!landed) free(data);
}

void parcel_begin(int from, const struct packet *header, struct delivery *delivery)
{
    if (!expected) {
        expected = eco_allocate((size_t) transport_size * sizeof *expected);
        memset(expected, 0, (size_t) transport_size * sizeof *expected);
    }
    switch (header->tag) {
    case PARCEL_REPLY: begin_reply(header, delivery); break;
    case PARCEL_BULK: begin_bulk(from, header, delivery); break;
    case PARCEL_ACCESS:
        delivery->room = header->bytes;
        delivery->into = eco_allocate(header->bytes);
        break;
    default: break;
    }
}

static void end_access(int from, const struct packet *header, struct delivery *delivery)
{
    char *parcel = delivery->into;
    take_access(from, header, parcel);
    free(parcel);
}

void parcel_end(int from, const struct packet *header, struct delivery *delivery)
{
    struct eco_win *win = window_of(header);
    switch (header->tag) {
    case PARCEL_ACCESS: end_access(from, header, delivery); break;
    case PARCEL_BULK: end_bulk(from, delivery); break;
    case PARCEL_REPLY: end_reply(delivery); break;
    case PARCEL_MARK: parcel_send(win, header->source, PARCEL_MARKED, header->context); break;
    case PARCEL_MARKED: win->remotes[header->source].marked = (uint32_t) header->context; break;
    case PARCEL_LOCK: take_lock_wish(win, header->source, header->context != 0); break;
    case PARCEL_GRANTED: win->remotes[header->source].lock = LOCK_HELD; break;
    case PARCEL_UNLOCK: take_unlock(win); break;
    case PARCEL_POST: win->remotes[header->source].posts++; break;
    case PARCEL_COMPLETE: win->completed++; break;
    default: break;
    }
}
