/* Matching of messages with receives, and the two protocols: eager (data comes with the envelope) and rendezvous
 * (data comes when it has a place). Called by the transport from below and by point-to-point and schedules from above. */
#include "internal.h"

#define PIECE 65472u      /* with its header, a little less than a power of two */
#define PIECE_LAST 98304u /* what is left is not cut any more */

static struct eco_request *posted, **posted_end = &posted;
static uint32_t serial; /* of messages sent */
static struct unexpected *waiting, **waiting_end = &waiting;

void *eco_allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        extern int printf(const char *, ...);
        printf("ecotone: the cell is out of memory (%lu bytes wanted)\n", (unsigned long) bytes);
        eco_abort(MPI_ERR_NO_MEM);
    }
    return memory;
}

int *eco_copy_ints(const int *values, int count)
{
    int *copy = eco_allocate((size_t) count * sizeof *copy);
    if (count) memcpy(copy, values, (size_t) count * sizeof *copy);
    return copy;
}

static uint32_t address_of(const void *pointer) { return (uint32_t) (uintptr_t) pointer; }
static void *pointer_of(uint32_t address) { return (void *) (uintptr_t) address; }

static int world_rank(const struct eco_comm *comm, int rank) { return comm->remote->world[rank]; }

/* ---- Sending ---- */

/* The data as one run of bytes: the user's own, or a packed copy that the request owns. */
static const char *send_bytes(struct eco_request *request)
{
    const struct eco_type *type = request->type;
    if (request->count == 0 || type->size == 0) return request->buffer;
    if (type_whole(type) || (request->count == 1 && type->dense)) return (const char *) request->buffer + type->true_lb;
    if (!request->packed) {
        request->packed = eco_allocate(request->bytes);
        layout_pack(request->buffer, request->count, type, request->packed, request->bytes);
    }
    return request->packed;
}

void send_start(struct eco_request *request)
{
    if (request->peer == MPI_PROC_NULL) {
        request_complete(request);
        return;
    }
    request->bytes = (uint32_t) (request->count * request->type->size);
    int to = world_rank(request->comm, request->peer);
    const char *data = send_bytes(request);
    struct packet header = {
        .bytes = request->bytes,
        .context = request->context,
        .source = request->comm->rank,
        .tag = request->tag,
        .sender = address_of(request),
    };
    request->serial = ++serial;
    if (request->twin) request->twin->serial = serial;
    header.receiver = serial; /* by which the receiver knows it, should it be cancelled */
    bool eager = request->mode != SEND_SYNCHRONOUS && request->bytes <= transport_eager_bytes &&
                 transport_has_credit(to, request->bytes);
    header.kind = eager ? PACKET_EAGER : PACKET_READY;
    transport_send(to, &header, data, eager ? request : NULL, NULL);
}

bool send_quickly(const void *buffer, int count, const struct eco_type *type, int to, int tag,
                  const struct eco_comm *comm, uint64_t context)
{
    if (to == MPI_PROC_NULL || !(type_whole(type) || (count == 1 && type->dense))) return false;
    size_t bytes = (size_t) count * type->size;
    int world = world_rank(comm, to);
    if (bytes > transport_eager_bytes || !transport_has_credit(world, (uint32_t) bytes)) return false;
    struct packet header = {
        .kind = PACKET_EAGER,
        .bytes = (uint32_t) bytes,
        .context = context,
        .source = comm->rank,
        .tag = tag,
        .receiver = serial + 1,
    };
    if (!transport_send_now(world, &header, (const char *) buffer + type->true_lb)) return false;
    serial++;
    return true;
}

/* The transport has taken the last byte of this message: its buffer is free again. */
void send_pushed(struct eco_request *request)
{
    request->pushed = true;
    free(request->packed);
    request->packed = NULL;
    if (!request->withdrawing) request_complete(request);
}

/* In pieces, which leave the rings in the caches: `context` says where each belongs, `sender` how much all are. */
static void send_data(int to, struct eco_request *request, uint32_t receiver)
{
    const char *data = send_bytes(request);
    uint32_t at = 0, bytes = request->bytes;
    request->matched = true;
    do {
        uint32_t part = bytes - at <= PIECE_LAST || !transport_is_near(to) ? bytes - at : PIECE;
        struct packet header = {
            .kind = PACKET_DATA, .bytes = part, .context = at, .sender = bytes, .receiver = receiver};
        transport_send(to, &header, data + at, at + part == bytes ? request : NULL, NULL);
        at += part;
    } while (at < bytes);
}

/* ---- Receiving ---- */

static bool matches(const struct packet *header, uint64_t context, int source, int tag)
{
    return header->context == context && (source == header->source || source == MPI_ANY_SOURCE) &&
           (tag == header->tag || tag == MPI_ANY_TAG);
}

static struct eco_request *take_posted(const struct packet *header)
{
    for (struct eco_request **place = &posted; *place; place = &(*place)->next) {
        struct eco_request *request = *place;
        if (!matches(header, request->context, request->peer, request->tag)) continue;
        *place = request->next;
        if (posted_end == &request->next) posted_end = place;
        return request;
    }
    return NULL;
}

static void waiting_remove(struct unexpected **place)
{
    struct unexpected *message = *place;
    *place = message->next;
    if (waiting_end == &message->next) waiting_end = place;
}

struct unexpected *unexpected_find(uint64_t context, int source, int tag, bool remove)
{
    for (struct unexpected **place = &waiting; *place; place = &(*place)->next) {
        struct unexpected *message = *place;
        if (!matches(&message->header, context, source, tag)) continue;
        if (remove) waiting_remove(place);
        return message;
    }
    return NULL;
}

bool receive_cancel(struct eco_request *request)
{
    for (struct eco_request **place = &posted; *place; place = &(*place)->next) {
        if (*place != request) continue;
        *place = request->next;
        if (posted_end == &request->next) posted_end = place;
        return true;
    }
    return false;
}

static size_t capacity(const struct eco_request *request) { return (size_t) request->count * request->type->size; }

/* Where the bytes of a matched message go: straight to the user's buffer, or to a packed copy. */
static void set_target(struct eco_request *request, const struct packet *header, struct delivery *delivery)
{
    const struct eco_type *type = request->type;
    size_t room = capacity(request);
    request->status.MPI_SOURCE = header->source;
    request->status.MPI_TAG = header->tag;
    request->status.eco_bytes = header->bytes < room ? header->bytes : (long long) room;
    request->error = header->bytes > room ? MPI_ERR_TRUNCATE : MPI_SUCCESS;
    delivery->request = request;
    delivery->room = (uint32_t) request->status.eco_bytes;
    if (type_whole(type) || (request->count == 1 && type->dense) || delivery->room == 0)
        delivery->into = (char *) request->buffer + type->true_lb;
    else
        delivery->into = request->packed = eco_allocate(delivery->room);
}

static void received(struct eco_request *request)
{
    if (request->packed) {
        layout_unpack((void *) request->buffer, request->count, request->type, request->packed,
                      (size_t) request->status.eco_bytes);
        free(request->packed);
        request->packed = NULL;
    }
    request_complete(request);
}

static void message_free(struct unexpected *message)
{
    free(message->data);
    free(message);
}

/* An eager message that came before its receive: copy it. */
static void take_buffered(struct eco_request *request, struct unexpected *message)
{
    struct delivery delivery;
    set_target(request, &message->header, &delivery);
    if (delivery.room) memcpy(delivery.into, message->data, delivery.room);
    transport_give_credit(message->from, message->header.bytes);
    message_free(message);
    received(request);
}

static void ask_for_data(struct eco_request *request, struct unexpected *message)
{
    struct packet header = {
        .kind = PACKET_GO,
        .sender = message->header.sender,
        .receiver = address_of(request),
    };
    /* Status and room are set when the data comes: the envelope is kept in the request until then. */
    request->status.MPI_SOURCE = message->header.source;
    request->status.MPI_TAG = message->header.tag;
    int from = message->from;
    message_free(message);
    transport_send(from, &header, NULL, NULL, NULL);
}

/* Gives a message that is in no list any more to a receive. */
void receive_message(struct eco_request *request, struct unexpected *message)
{
    if (message->header.kind == PACKET_READY)
        ask_for_data(request, message);
    else if (message->arrived)
        take_buffered(request, message);
    else
        message->request = request;
}

void receive_start(struct eco_request *request)
{
    if (request->peer == MPI_PROC_NULL) {
        request->status.MPI_SOURCE = MPI_PROC_NULL;
        request->status.MPI_TAG = MPI_ANY_TAG;
        request_complete(request);
        return;
    }
    struct unexpected *message = unexpected_find(request->context, request->peer, request->tag, true);
    if (message) {
        receive_message(request, message);
        return;
    }
    request->next = NULL;
    *posted_end = request;
    posted_end = &request->next;
}

/* ---- What the transport brings ---- */

static struct unexpected *keep(int from, const struct packet *header)
{
    struct unexpected *message = eco_allocate(sizeof *message);
    *message = (struct unexpected){.header = *header, .from = from};
    if (header->kind == PACKET_EAGER) message->data = eco_allocate(header->bytes);
    *waiting_end = message;
    waiting_end = &message->next;
    return message;
}

/* The sender cancels: true if the message was still unmatched, and is gone now. */
static bool drop_message(int from, uint32_t number)
{
    for (struct unexpected **place = &waiting; *place; place = &(*place)->next) {
        struct unexpected *message = *place;
        if (message->from != from || message->header.receiver != number) continue;
        waiting_remove(place);
        if (message->header.kind == PACKET_EAGER) transport_give_credit(from, message->header.bytes);
        message_free(message);
        return true;
    }
    return false;
}

static void answer_withdrawal(int from, const struct packet *asked)
{
    struct packet answer = {.kind = PACKET_WITHDRAWN, .sender = asked->sender};
    answer.tag = drop_message(from, asked->receiver);
    transport_send(from, &answer, NULL, NULL, NULL);
}

static void withdrawn(struct eco_request *request, bool gone)
{
    request->withdrawing = false;
    request->cancelled = gone;
    if (gone && request->twin) request_complete(request->twin); /* the copy will never be asked for */
    if (gone) {
        free(request->packed);
        request->packed = NULL;
    }
    if (gone || request->pushed) request_complete(request);
}

static void begin_eager(int from, const struct packet *header, struct delivery *delivery)
{
    struct eco_request *request = take_posted(header);
    if (request) {
        set_target(request, header, delivery);
        return;
    }
    struct unexpected *message = keep(from, header);
    *delivery = (struct delivery){.into = message->data, .room = header->bytes, .unexpected = message};
}

static void begin_data(const struct packet *header, struct delivery *delivery)
{
    struct eco_request *request = pointer_of(header->receiver);
    uint32_t at = (uint32_t) header->context;
    struct packet envelope = {.bytes = header->sender, .source = request->status.MPI_SOURCE, .tag = request->status.MPI_TAG};
    if (at == 0) {
        set_target(request, &envelope, delivery);
        return;
    }
    uint32_t room = (uint32_t) request->status.eco_bytes;
    delivery->request = request;
    delivery->room = room > at ? room - at : 0;
    delivery->into = (request->packed ? request->packed : (char *) request->buffer + request->type->true_lb) + at;
}

static void end_data(const struct packet *header, struct delivery *delivery)
{
    if (header->context + header->bytes >= header->sender) received(delivery->request);
}

void deliver_begin(int from, const struct packet *header, struct delivery *delivery)
{
    *delivery = (struct delivery){0};
    if (header->kind == PACKET_EAGER)
        begin_eager(from, header, delivery);
    else if (header->kind == PACKET_DATA && header->receiver)
        begin_data(header, delivery);
    else if (header->kind == PACKET_DATA)
        parcel_begin(from, header, delivery);
}

static void announce(int from, const struct packet *header)
{
    struct eco_request *request = take_posted(header);
    struct unexpected *message;
    if (!request) {
        keep(from, header);
        return;
    }
    message = eco_allocate(sizeof *message);
    *message = (struct unexpected){.header = *header, .from = from};
    ask_for_data(request, message);
}

static void end_eager(int from, const struct packet *header, struct delivery *delivery)
{
    struct unexpected *message = delivery->unexpected;
    if (!message) {
        transport_give_credit(from, header->bytes);
        received(delivery->request);
        return;
    }
    message->arrived = true;
    if (message->request) take_buffered(message->request, message);
}

void deliver_end(int from, const struct packet *header, struct delivery *delivery)
{
    switch (header->kind) {
    case PACKET_EAGER: end_eager(from, header, delivery); break;
    case PACKET_READY: announce(from, header); break;
    case PACKET_GO: send_data(from, pointer_of(header->sender), header->receiver); break;
    case PACKET_DATA:
        if (header->receiver)
            end_data(header, delivery);
        else
            parcel_end(from, header, delivery);
        break;
    case PACKET_WITHDRAW: answer_withdrawal(from, header); break;
    case PACKET_WITHDRAWN: withdrawn(pointer_of(header->sender), header->tag != 0); break;
    default: break;
    }
}

/* ---- For tools ---- */

unsigned matching_posted(void)
{
    unsigned count = 0;
    for (const struct eco_request *request = posted; request; request = request->next) count++;
    return count;
}

unsigned matching_unexpected(void)
{
    unsigned count = 0;
    for (const struct unexpected *message = waiting; message; message = message->next) count++;
    return count;
}

unsigned matching_sent(void) { return serial; }
