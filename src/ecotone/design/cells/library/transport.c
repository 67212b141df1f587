/* Transport between ranks: streams of packets in memory that the host maps into every cell of a job.
 *
 * One ring for each ordered pair of ranks; its writer moves `tail`, its reader `head`. No host call on the fast path.
 * A rank that has nothing to do spins, then yields, then sleeps on its bell; who wants its attention rings the bell,
 * but only if it sleeps. All state but the rings is in the cell's own memory. */
#include "internal.h"

#include <stdatomic.h>
#include <stdio.h>

#define HOST(name) __attribute__((import_module("eco"), import_name(name)))
HOST("shared_bytes") uint32_t host_shared_bytes(void);          /* how much `map` will map */
HOST("map") int host_map(void *address, uint32_t bytes);        /* returns the rank */
HOST("idle") void host_idle(_Atomic uint32_t *bell, uint32_t seen); /* sleeps while *bell == seen, at most 50 ms */
HOST("wake") void host_wake(_Atomic uint32_t *bell);
HOST("yield") void host_yield(void);
HOST("safepoint") void host_safepoint(void); /* the one place where a cell can be taken out of its process */
HOST("abort") _Noreturn void host_abort(int code);

#define PAGE 65536u
#define GRAIN 32u         /* packets are multiples of this */
#define CHUNK 32768u      /* bytes copied before the other side is told, so that both sides copy at once */
#define ROUND(bytes) (((bytes) + GRAIN - 1) & ~(GRAIN - 1))

/* The layout of the region is also in ecotone/execution/cells/_region.py. */
struct region {
    uint32_t size;       /* ranks */
    uint32_t ring_bytes; /* a power of two */
    uint32_t cores;      /* that the ranks of this node share */
    uint32_t credit;     /* eager bytes that may wait unmatched, for each pair */
};
struct control {
    _Alignas(64) _Atomic uint32_t bell;
    _Atomic uint32_t asleep;
    _Atomic uint32_t stop; /* set by the host: come to a safe point */
};
struct ring {
    _Alignas(64) _Atomic uint32_t tail;
    _Alignas(64) _Atomic uint32_t head;
    _Atomic uint32_t full;     /* the writer waits for room */
    _Atomic uint32_t consumed; /* eager bytes that have found their receive, ever */
    _Alignas(64) char data[];
};

struct outgoing {
    struct outgoing *next;
    struct packet header;
    const char *payload;
    uint32_t sent; /* of header and padded payload */
    struct eco_request *notify;
    void *owned;
};
struct incoming {
    bool busy;
    struct packet header;
    uint32_t got; /* of the padded payload */
    struct delivery delivery;
};
struct peer {
    struct ring *to, *from;
    struct outgoing *first, **last;
    struct incoming incoming;
    uint32_t eager_sent;
};

int transport_rank, transport_size;
uint32_t transport_eager_bytes;
static struct region *region;
static struct control *controls;
static struct peer *peers;
static struct outgoing *spare;
static int queued; /* packets that wait for room */
static int spins, yields;

static struct ring *ring_of(char *rings, int from, int to)
{
    size_t each = sizeof(struct ring) + region->ring_bytes;
    return (struct ring *) (rings + ((size_t) from * region->size + to) * each);
}

/* With a core for each rank, spinning is what is fast; with less, the one waited for needs the core. */
static void choose_waiting(void)
{
    bool crowded = region->size > region->cores;
    spins = crowded ? 30 : 4000;
    yields = crowded ? 60 : 100;
}

void transport_open(void)
{
    uint32_t bytes = host_shared_bytes();
    size_t page = __builtin_wasm_memory_grow(0, (bytes + PAGE - 1) / PAGE);
    if (page == (size_t) -1) {
        fprintf(stderr, "ecotone: no memory for %u bytes shared between the ranks\n", bytes);
        exit(1);
    }
    region = (struct region *) (page * PAGE);
    transport_rank = host_map(region, bytes);
    transport_size = (int) region->size;
    controls = (struct control *) ((char *) region + 64);
    char *rings = (char *) (controls + region->size);
    peers = calloc(region->size, sizeof *peers);
    for (int other = 0; other < transport_size; other++) {
        peers[other].to = ring_of(rings, transport_rank, other);
        peers[other].from = ring_of(rings, other, transport_rank);
        peers[other].last = &peers[other].first;
    }
    transport_eager_bytes = region->ring_bytes / 4 < 16384 ? region->ring_bytes / 4 : 16384;
    choose_waiting();
}

static void ring_bell(int rank)
{
    if (!atomic_load(&controls[rank].asleep)) return;
    atomic_fetch_add(&controls[rank].bell, 1);
    host_wake(&controls[rank].bell);
}

/* ---- Sending ---- */

static uint32_t ring_room(struct ring *ring)
{
    return region->ring_bytes - (atomic_load_explicit(&ring->tail, memory_order_relaxed) - atomic_load(&ring->head));
}

/* Copies payload bytes [offset, offset + count) to the ring; what lies beyond the payload is padding. */
static void put_bytes(struct ring *ring, uint32_t at, const struct outgoing *out, uint32_t offset, uint32_t count)
{
    uint32_t real = offset >= out->header.bytes ? 0 : out->header.bytes - offset;
    if (real > count) real = count;
    uint32_t start = at & (region->ring_bytes - 1), first = region->ring_bytes - start;
    if (first > real) first = real;
    memcpy(ring->data + start, out->payload + offset, first);
    if (real > first) memcpy(ring->data, out->payload + offset + first, real - first);
}

static bool carries_payload(const struct packet *header)
{
    return header->kind == PACKET_EAGER || header->kind == PACKET_DATA;
}

/* Pushes as much as there is room for; true when the packet is in the ring whole. */
static bool push(int to, struct outgoing *out, bool *moved)
{
    struct ring *ring = peers[to].to;
    uint32_t total = sizeof out->header + (carries_payload(&out->header) ? ROUND(out->header.bytes) : 0);
    while (out->sent < total) {
        uint32_t room = ring_room(ring), tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        if (room == 0) {
            atomic_store(&ring->full, 1);
            if (ring_room(ring) == 0) return false;
            continue;
        }
        uint32_t part = 0;
        if (out->sent == 0) {
            memcpy(ring->data + (tail & (region->ring_bytes - 1)), &out->header, sizeof out->header);
            part = sizeof out->header;
        }
        uint32_t rest = total - out->sent - part, most = room - part;
        if (most > CHUNK) most = CHUNK;
        if (rest > most) rest = most;
        if (rest) put_bytes(ring, tail + part, out, out->sent + part - sizeof out->header, rest);
        out->sent += part + rest;
        atomic_store(&ring->tail, tail + part + rest);
        *moved = true;
        ring_bell(to);
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

/* Small messages may be sent unasked only as long as few of them wait at the other side. */
bool transport_has_credit(int to, uint32_t bytes)
{
    uint32_t waiting = peers[to].eager_sent - atomic_load_explicit(&peers[to].to->consumed, memory_order_relaxed);
    return waiting + bytes + 64 <= region->credit;
}

void transport_give_credit(int from, uint32_t bytes)
{
    struct ring *ring = peers[from].from;
    uint32_t consumed = atomic_load_explicit(&ring->consumed, memory_order_relaxed);
    atomic_store_explicit(&ring->consumed, consumed + bytes + 64, memory_order_relaxed);
}

bool transport_quiet(void) { return queued == 0; }

/* ---- Receiving ---- */

static void get_bytes(struct ring *ring, uint32_t at, char *into, uint32_t count)
{
    uint32_t start = at & (region->ring_bytes - 1), first = region->ring_bytes - start;
    if (first > count) first = count;
    memcpy(into, ring->data + start, first);
    if (count > first) memcpy(into + first, ring->data, count - first);
}

static void release_room(int from, struct ring *ring, uint32_t head)
{
    atomic_store(&ring->head, head);
    if (atomic_load(&ring->full)) {
        atomic_store(&ring->full, 0);
        ring_bell(from);
    }
}

/* Takes payload that is in the ring; true when all of it has been taken. */
static bool take_payload(int from, struct incoming *in, uint32_t *head, uint32_t tail)
{
    uint32_t padded = ROUND(in->header.bytes), limit = in->header.bytes;
    if (limit > in->delivery.room) limit = in->delivery.room;
    while (in->got < padded && *head != tail) {
        uint32_t part = padded - in->got;
        if (part > tail - *head) part = tail - *head;
        if (part > CHUNK) part = CHUNK;
        if (in->got < limit) {
            uint32_t wanted = limit - in->got < part ? limit - in->got : part;
            get_bytes(peers[from].from, *head, in->delivery.into + in->got, wanted);
        }
        in->got += part;
        *head += part;
        release_room(from, peers[from].from, *head);
    }
    return in->got >= padded;
}

static bool receive_from(int from)
{
    struct ring *ring = peers[from].from;
    struct incoming *in = &peers[from].incoming;
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed), tail = atomic_load(&ring->tail);
    if (head == tail) return false;
    while (head != tail) {
        if (!in->busy) {
            get_bytes(ring, head, (char *) &in->header, sizeof in->header);
            head += sizeof in->header;
            in->busy = true;
            in->got = 0;
            deliver_begin(from, &in->header, &in->delivery);
        }
        if (carries_payload(&in->header) && !take_payload(from, in, &head, tail)) break;
        in->busy = false;
        release_room(from, ring, head);
        deliver_end(from, &in->header, &in->delivery);
    }
    return true;
}

static bool transport_progress(void)
{
    bool moved = false;
    for (int other = 0; other < transport_size; other++) {
        if (queued && peers[other].first) moved |= flush(other);
        moved |= receive_from(other);
    }
    return moved;
}

bool progress(void)
{
    bool moved = transport_progress();
    moved |= schedules_progress();
    if (atomic_load_explicit(&controls[transport_rank].stop, memory_order_relaxed)) host_safepoint();
    return moved;
}

/* Announce the sleep first, look once more, then sleep: a message that comes in between rings the bell. */
static void doze(void)
{
    struct control *control = &controls[transport_rank];
    uint32_t seen = atomic_load(&control->bell);
    atomic_store(&control->asleep, 1);
    if (!progress()) host_idle(&control->bell, seen);
    atomic_store(&control->asleep, 0);
}

/* Nothing has moved `idle` times in a row: spin, then let others run, then sleep. */
void wait_moment(int *idle)
{
    if (++*idle <= spins) return;
    if (*idle <= spins + yields)
        host_yield();
    else
        doze();
}

void wait_until(const volatile bool *flag)
{
    int idle = 0;
    while (!*flag) {
        if (progress())
            idle = 0;
        else
            wait_moment(&idle);
    }
}

_Noreturn void eco_abort(int code)
{
    fflush(NULL);
    host_abort(code);
}
