/* Transport between ranks: one ring of packets for each ordered pair of them; its writer moves `tail`, its reader `head`.
 *
 * Ranks of one node share their rings, in memory that the host maps into every cell of a job: no host call on the fast
 * path. To a rank of another node there is a wire: each side has a copy of the ring in its own memory, and the host
 * carries the bytes from one to the other. What the other side has not acknowledged stays in the writer's ring, so a
 * wire may break, and be made again elsewhere, at any moment.
 * A rank that has nothing to do sleeps on its bell (waiting.c); who wants its attention rings it, but only if it sleeps.
 * All state but the shared rings is in the cell's own memory. */
#include "transport.h"

#include <stdio.h>

HOST("wake") void host_wake(_Atomic uint32_t *bell);
HOST("abort") _Noreturn void host_abort(int code);
HOST("pump") void host_pump(int peer); /* something has been written */
HOST("poll") int host_poll(void);      /* moves what can move on all wires; 0 if nothing could */
HOST("settled") int host_settled(void); /* both sides have all that was sent? */

#define LAP_MORE 65536u
#define LAP_ROUNDS 2u     /* or waits for room, before a ring is used further */
#define CHUNK 32768u      /* bytes copied before the other side is told, so that both sides copy at once */
#define WIRE_CHUNK 262144u
#define FORGET (1u << 30)
#define ROUND(bytes) (((bytes) + GRAIN - 1) & ~(GRAIN - 1))

static struct outgoing *spare;
static int queued; /* packets that wait for room */
bool ask_host;

static void set_tail(const struct peer *peer, uint32_t tail)
{
    atomic_store(&peer->to->front, (uint64_t) peer->head << 32 | tail);
}

static void ring_bell(int place)
{
    if (place < 0 || !atomic_load(&controls[place].asleep)) return;
    atomic_fetch_add(&controls[place].bell, 1);
    host_wake(&controls[place].bell);
}

/* ---- Sending ---- */

/* The true head is looked at when the ring seems to be fuller than half. */
static uint32_t ring_room(struct peer *peer, uint32_t tail)
{
    if (tail - peer->head_seen >= peer->ring_bytes / 2) peer->head_seen = atomic_load(&peer->to->head);
    return peer->ring_bytes - (tail - peer->head_seen);
}

/* Copies payload bytes [offset, offset + count) to the ring; what lies beyond the payload is padding. */
static void put_bytes(const struct peer *peer, uint32_t at, const struct outgoing *out, uint32_t offset, uint32_t count)
{
    uint32_t real = offset >= out->header.bytes ? 0 : out->header.bytes - offset;
    if (real > count) real = count;
    uint32_t start = at & (peer->ring_bytes - 1), first = peer->ring_bytes - start;
    if (first > real) first = real;
    memcpy(peer->to->data + start, out->payload + offset, first);
    if (real > first) memcpy(peer->to->data, out->payload + offset + first, real - first);
}

/* Without a call for what is small: one to 16 bytes, and nothing beyond them is read. */
static void copy_small(char *to, const char *from, uint32_t bytes)
{
    if (bytes >= 8) {
        uint64_t first, last;
        memcpy(&first, from, 8);
        memcpy(&last, from + bytes - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + bytes - 8, &last, 8);
        return;
    }
    for (uint32_t i = 0; i < bytes; i++) to[i] = from[i];
}

/* The whole packet in the line of `tail`, if it is small and the line free. */
static bool push_small(struct peer *peer, const struct outgoing *out, uint32_t total)
{
    struct ring *ring = peer->to;
    uint32_t tail = tail_of(ring), bytes = total - sizeof out->header;
    if (peer->place < 0 || tail != peer->head_seen) return false;
    if (bytes && out->header.bytes > SMALL - sizeof out->header) return false;
    memcpy(ring->small, &out->header, sizeof out->header);
    if (bytes) copy_small(ring->small + sizeof out->header, out->payload, out->header.bytes);
    ring->here = tail + 1;
    set_tail(peer, tail + total);
    return true;
}

static void put_header(struct peer *peer, uint32_t tail, const struct packet *header)
{
    if (tail - peer->to->here > FORGET) peer->to->here = 0; /* taken long ago, and never to be mistaken for another */
    memcpy(peer->to->data + (tail & (peer->ring_bytes - 1)), header, sizeof *header);
}

/* To touch a page of a ring for the first time takes longer than to copy what it holds, so a ring is used up to `lap`
 * only, again and again, and further when that has happened often: then what is written has left the other's caches.
 * What lies between there and its end is passed over as a packet of bytes that nobody wants. Messages larger than a lap
 * go through all of the ring. */
static void lap_more(struct peer *peer)
{
    if (++peer->rounds % LAP_ROUNDS) return;
    uint32_t rest = peer->ring_bytes - peer->lap;
    peer->lap += rest < LAP_MORE ? rest : LAP_MORE;
}

/* Makes room for so many bytes in a lap; false if the reader has to take something first. */
static bool fits_lap(struct peer *peer, uint32_t total)
{
    uint32_t tail = tail_of(peer->to), at = tail & (peer->ring_bytes - 1), rest = peer->ring_bytes - at;
    if (at + total <= peer->lap || total > peer->lap || peer->place < 0) return true;
    if (peer->ring_bytes - (tail - peer->head_seen) < rest) peer->head_seen = atomic_load(&peer->to->head);
    if (peer->ring_bytes - (tail - peer->head_seen) < rest) return false;
    struct packet header = {.kind = PACKET_NOTHING, .bytes = rest - (uint32_t) sizeof header};
    put_header(peer, tail, &header);
    set_tail(peer, tail + rest);
    lap_more(peer);
    return true;
}

/* The reader will ring when it has taken something; it may have done so already. */
static void want_room(struct peer *peer)
{
    if (!atomic_exchange(&peer->to->full, 1)) lap_more(peer);
}

static bool may_begin(struct peer *peer, uint32_t total)
{
    if (fits_lap(peer, total)) return true;
    want_room(peer);
    return fits_lap(peer, total);
}

/* The ring is full. */
static bool find_room(int to, struct peer *peer, uint32_t tail)
{
    if (peer->place < 0)
        host_pump(to); /* the host may have heard that it is not */
    else
        want_room(peer);
    return ring_room(peer, tail) != 0;
}

/* Pushes as much as there is room for; true when the packet is in the ring whole. */
static bool push(int to, struct outgoing *out, bool *moved)
{
    struct peer *peer = &peers[to];
    struct ring *ring = peer->to;
    uint32_t total = sizeof out->header + (carries_payload(&out->header) ? ROUND(out->header.bytes) : 0);
    uint32_t chunk = peer->place < 0 ? WIRE_CHUNK : CHUNK;
    if (out->sent == 0 && push_small(peer, out, total)) {
        *moved = true;
        out->sent = total;
        ring_bell(peer->place);
        return true;
    }
    if (out->sent == 0 && !may_begin(peer, total)) return false;
    while (out->sent < total) {
        uint32_t tail = tail_of(ring), room = ring_room(peer, tail);
        if (room == 0) {
            if (!find_room(to, peer, tail)) return false;
            continue;
        }
        uint32_t part = 0;
        if (out->sent == 0) {
            put_header(peer, tail, &out->header);
            part = sizeof out->header;
        }
        uint32_t rest = total - out->sent - part, most = room - part;
        if (most > chunk) most = chunk;
        if (rest > most) rest = most;
        if (rest) put_bytes(peer, tail + part, out, out->sent + part - sizeof out->header, rest);
        out->sent += part + rest;
        set_tail(peer, tail + part + rest);
        *moved = true;
        if (peer->place < 0)
            host_pump(to);
        else
            ring_bell(peer->place);
    }
    return true;
}

static void pushed(struct outgoing *out)
{
    free(out->owned);
    if (out->notify) send_pushed(out->notify);
}

static struct outgoing *outgoing_new(void)
{
    struct outgoing *out = spare;
    if (out) spare = out->next;
    return out ? out : eco_allocate(sizeof *out);
}

/* Sends a packet, now or when there is room. `payload` must stay until `notify` is told; `owned` is freed then. */
void transport_send(int to, const struct packet *header, const void *payload, struct eco_request *notify, void *owned)
{
    struct peer *peer = &peers[to];
    struct outgoing out = {.header = *header, .payload = payload, .notify = notify, .owned = owned};
    bool moved = false;
    if (header->kind == PACKET_EAGER) peer->eager_sent += header->bytes + 64;
    if (!peer->first && push(to, &out, &moved)) {
        pushed(&out);
        return;
    }
    struct outgoing *waiting = outgoing_new();
    *waiting = out;
    waiting->next = NULL;
    *peer->last = waiting;
    peer->last = &waiting->next;
    queued++;
}

bool transport_send_now(int to, const struct packet *header, const void *payload)
{
    struct peer *peer = &peers[to];
    uint32_t total = sizeof *header + ROUND(header->bytes);
    if (peer->first || !fits_lap(peer, total) || total > ring_room(peer, tail_of(peer->to))) return false;
    struct outgoing out = {.header = *header, .payload = payload};
    bool moved = false;
    peer->eager_sent += header->bytes + 64;
    return push(to, &out, &moved);
}

static bool flush(int to)
{
    struct peer *peer = &peers[to];
    bool moved = false;
    while (peer->first && push(to, peer->first, &moved)) {
        struct outgoing *out = peer->first;
        peer->first = out->next;
        if (!peer->first) peer->last = &peer->first;
        queued--;
        pushed(out);
        out->next = spare;
        spare = out;
    }
    return moved;
}

/* Small messages may be sent unasked only as long as few of them wait at the other side. What the other side has
 * written is only looked at when that seems to be too little: it lies in a line which it writes all the time. */
bool transport_has_credit(int to, uint32_t bytes)
{
    struct peer *peer = &peers[to];
    if (peer->eager_sent - peer->consumed_seen + bytes + 64 <= region->credit / 2) return true;
    peer->consumed_seen = atomic_load_explicit(&peer->to->consumed, memory_order_relaxed);
    return peer->eager_sent - peer->consumed_seen + bytes + 64 <= region->credit;
}

void transport_give_credit(int from, uint32_t bytes)
{
    struct ring *ring = peers[from].from;
    uint32_t consumed = atomic_load_explicit(&ring->consumed, memory_order_relaxed);
    atomic_store_explicit(&ring->consumed, consumed + bytes + 64, memory_order_relaxed);
}

bool transport_quiet(void) { return queued == 0 && (wires == 0 || host_settled()); }

/* ---- Receiving ---- */

static void get_bytes(const struct peer *peer, uint32_t at, char *into, uint32_t count)
{
    uint32_t start = at & (peer->ring_bytes - 1), first = peer->ring_bytes - start;
    if (first > count) first = count;
    memcpy(into, peer->from->data + start, first);
    if (count > first) memcpy(into + first, peer->from->data, count - first);
}

static void release_room(struct peer *peer, uint32_t head)
{
    struct ring *ring = peer->from;
    peer->head = head;
    atomic_store(&ring->head, head);
    if (atomic_load(&ring->full)) {
        atomic_store(&ring->full, 0);
        ring_bell(peer->place);
    }
}

/* Takes payload that is in the ring; true when all of it has been taken. */
static bool take_payload(struct peer *peer, struct incoming *in, uint32_t *head, uint32_t tail)
{
    uint32_t padded = ROUND(in->header.bytes), limit = in->header.bytes;
    if (limit > in->delivery.room) limit = in->delivery.room;
    while (in->got < padded && *head != tail) {
        uint32_t part = padded - in->got;
        if (part > tail - *head) part = tail - *head;
        if (part > CHUNK && in->got < limit) part = CHUNK;
        if (in->got < limit) {
            uint32_t wanted = limit - in->got < part ? limit - in->got : part;
            get_bytes(peer, *head, in->delivery.into + in->got, wanted);
        }
        in->got += part;
        *head += part;
        release_room(peer, *head);
    }
    return in->got >= padded;
}

/* Takes the packet that is in the line of `tail`; returns where the next one begins. */
static uint32_t take_small(int from, struct peer *peer, uint32_t head)
{
    struct packet header;
    struct delivery delivery;
    memcpy(&header, peer->from->small, sizeof header);
    uint32_t bytes = carries_payload(&header) ? header.bytes : 0;
    deliver_begin(from, &header, &delivery);
    copy_small(delivery.into, peer->from->small + sizeof header, bytes < delivery.room ? bytes : delivery.room);
    head += sizeof header + ROUND(bytes);
    release_room(peer, head);
    deliver_end(from, &header, &delivery);
    return head;
}

/* A wire brings bytes, not packets: the last ones may be the beginning of a header. */
static void receive_from(int from, struct peer *peer, uint64_t front)
{
    struct ring *ring = peer->from;
    struct incoming *in = &peer->incoming;
    uint32_t head = peer->head, tail = (uint32_t) front & ~(GRAIN - 1);
    if (peer->place >= 0) peer->head_seen = (uint32_t) (front >> 32);
    while (head != tail) {
        if (!in->busy && peer->place >= 0 && ring->here == head + 1) {
            head = take_small(from, peer, head);
            continue;
        }
        if (!in->busy) {
            get_bytes(peer, head, (char *) &in->header, sizeof in->header);
            head += sizeof in->header;
            in->busy = true;
            in->got = 0;
            deliver_begin(from, &in->header, &in->delivery);
        }
        if (carries_payload(&in->header) && !take_payload(peer, in, &head, tail)) {
            release_room(peer, head); /* there may have been room for the header alone */
            break;
        }
        in->busy = false;
        release_room(peer, head);
        deliver_end(from, &in->header, &in->delivery);
    }
}

/* Asking the host takes 2 us, looking at all shared rings a fraction of that. */
static bool transport_progress(void)
{
    static unsigned turn;
    bool moved = false;
    if (wires && (ask_host || ++turn % 16 == 0)) host_poll();
    ask_host = false;
    for (int other = 0; other < transport_size; other++) {
        struct peer *peer = &peers[other];
        if (queued && peer->first) moved |= flush(other);
        uint64_t front = atomic_load(&peer->from->front);
        if ((uint32_t) front - peer->head < GRAIN) continue;
        receive_from(other, peer, front);
        moved = true;
    }
    return moved;
}

bool progress(void)
{
    bool moved = transport_progress();
    moved |= schedules_progress();
    safe_point();
    return moved;
}

_Noreturn void eco_abort(int code)
{
    fflush(NULL);
    host_abort(code);
}
