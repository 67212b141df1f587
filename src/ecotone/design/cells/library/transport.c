/* Transport between ranks: one ring of packets for each ordered pair of them; its writer moves `tail`, its reader `head`.
 *
 * Ranks of one node share their rings, in memory that the host maps into every cell of a job: no host call on the fast
 * path. To a rank of another node there is a wire: each side has a copy of the ring in its own memory, and the host
 * carries the bytes from one to the other. What the other side has not acknowledged stays in the writer's ring, so a
 * wire may break, and be made again elsewhere, at any moment.
 * A rank that has nothing to do spins, then yields, then sleeps on its bell; who wants its attention rings the bell,
 * but only if it sleeps. All state but the shared rings is in the cell's own memory. */
#include "internal.h"

#include <stdatomic.h>
#include <stdio.h>

struct ring;
#define HOST(name) __attribute__((import_module("eco"), import_name(name)))
HOST("shared_bytes") uint32_t host_shared_bytes(void);          /* how much `map` will map */
HOST("map") int host_map(void *address, uint32_t bytes);        /* returns the rank */
HOST("idle") void host_idle(_Atomic uint32_t *bell, uint32_t seen); /* sleeps while *bell == seen, at most 50 ms */
HOST("wake") void host_wake(_Atomic uint32_t *bell);
HOST("yield") void host_yield(void);
HOST("safepoint") void host_safepoint(void); /* the one place where a cell can be taken out of its process */
HOST("abort") _Noreturn void host_abort(int code);
/* Wires: the host moves `tail` of `from`, and `head` and `consumed` of `to`; the cell moves the others. */
HOST("wire") void host_wire(int peer, struct ring *to, struct ring *from, uint32_t ring_bytes);
HOST("pump") void host_pump(int peer); /* something has been written */
HOST("poll") int host_poll(void);      /* moves what can move on all wires; 0 if nothing could */
HOST("moved") int host_moved(void);    /* since the last call: the host is another one, and has mapped nothing */
HOST("settled") int host_settled(void); /* both sides have all that was sent? */

#define PAGE 65536u
#define EAGER_MOST 16384u
#define GRAIN 32u         /* packets are multiples of this */
#define LAP_LEAST 131072u
#define LAP_MORE 65536u
#define LAP_ROUNDS 2u     /* or waits for room, before a ring is used further */
#define CHUNK 32768u      /* bytes copied before the other side is told, so that both sides copy at once */
#define WIRE_CHUNK 262144u
#define WIRE_LEAST 32768u
#define WIRES_TOGETHER (64u << 20)
#define FORGET (1u << 30)
#define SMALL 48u         /* header and up to 16 bytes */
#define YIELDS_TIMED 128 /* of so many, one is */
#define YIELD_SLOW_S 300e-6
#define BUSY_LEAST 16 /* sleeps, before it is tried again whether the cores are still busy */
#define BUSY_MOST 2048
#define BUSY_SPINS 400
#define ROUND(bytes) (((bytes) + GRAIN - 1) & ~(GRAIN - 1))

/* The layout of the region is also in ecotone/execution/cells/_region.py. */
struct region {
    uint32_t size;       /* ranks of the job */
    uint32_t ring_bytes; /* a power of two */
    uint32_t cores;      /* that the ranks of this node share */
    uint32_t credit;     /* eager bytes that may wait unmatched, for each pair */
    uint32_t places;     /* for ranks of this node */
    uint32_t wire_bytes; /* of each ring of a wire, a power of two, at least `ring_bytes` */
    uint32_t window_pages; /* for the windows that each rank shares, behind the region */
    _Alignas(64) volatile int32_t place[]; /* of each rank; -1 if it is on another node */
};
struct control {
    _Alignas(64) _Atomic uint32_t bell;
    _Atomic uint32_t asleep;
    _Atomic uint32_t stop; /* set by the host: come to a safe point; the two lowest bits say why, 0: look at `place` */
};
/* A cache line takes a sixth of a microsecond from one core to another, so small messages travel in one: that of
 * `tail`. When the reader is known to have taken all, a packet of up to 64 bytes is put there instead of in its place in
 * the ring (`here` says which it is); it stays until the reader is known to have taken it. The line also brings how far
 * its writer has got in the ring of the other direction, so that who answers needs no further line. It is one atomic
 * word with `tail`: whoever sees it also sees that its writer had read what lies before it. All orders are sequential
 * ones, since WebAssembly has no others: on x86 loads cost nothing and stores an exchange. */
struct ring {
    _Alignas(64) _Atomic uint64_t front; /* `tail`; and in the upper half, `head` of the ring of the other direction */
    uint32_t here;                       /* where in the ring `small` belongs, plus 1 */
    char small[SMALL];
    _Alignas(64) _Atomic uint32_t head;
    _Atomic uint32_t full;     /* the writer waits for room */
    _Atomic uint32_t consumed; /* eager bytes that have found their receive, ever */
    uint32_t host[4];          /* of the host, for wires */
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
    uint32_t ring_bytes;
    int place;         /* on this node, -1: there is a wire */
    uint32_t head_seen; /* of `to`; the true one may be further */
    uint32_t lap;       /* so much of `to` is used, unless a message is larger */
    uint32_t rounds;    /* or waits for room */
    uint32_t head;      /* of `from`, which only we change */
    struct outgoing *first, **last;
    struct incoming incoming;
    uint32_t eager_sent, consumed_seen;
};

int transport_rank, transport_size;
uint32_t transport_eager_bytes;
static struct region *region;
static struct control *controls;
static struct peer *peers;
static struct outgoing *spare;
static int queued; /* packets that wait for room */
static int wires, own_place;
static int spins, yields;
static int busy; /* so many times still, sleep instead of letting others run */
static bool ask_host; /* at the next turn, since nothing else is to be done */

static uint32_t tail_of(const struct ring *ring) { return (uint32_t) ring->front; }

static void set_tail(const struct peer *peer, uint32_t tail)
{
    atomic_store(&peer->to->front, (uint64_t) peer->head << 32 | tail);
}

static struct ring *shared_ring(int from_place, int to_place)
{
    char *rings = (char *) (controls + region->places);
    size_t each = sizeof(struct ring) + region->ring_bytes;
    return (struct ring *) (rings + ((size_t) from_place * region->places + to_place) * each);
}

static bool carries_payload(const struct packet *header)
{
    return header->kind == PACKET_EAGER || header->kind == PACKET_DATA || header->kind == PACKET_NOTHING;
}

/* To its place in the ring: no more than it takes there, since the next packet may lie behind it. */
static void copy_line(struct ring *ring, uint32_t bytes, const struct ring *old)
{
    struct packet header;
    memcpy(&header, old->small, sizeof header);
    uint32_t most = carries_payload(&header) && header.bytes ? SMALL : sizeof header;
    for (uint32_t at = 0; at < most; at += GRAIN / 2)
        memcpy(ring->data + ((old->here - 1 + at) & (bytes - 1)), old->small + at, GRAIN / 2);
}

/* A ring in our own memory; with what is in `old`, if there is one. Fresh memory is not touched, so it costs nothing. */
static struct ring *private_ring(uint32_t bytes, const struct ring *old, uint32_t old_bytes)
{
    struct ring *ring = aligned_alloc(64, sizeof *ring + bytes);
    if (!ring) {
        fprintf(stderr, "ecotone: no memory for messages to other nodes\n");
        exit(1);
    }
    memset(ring, 0, sizeof *ring);
    if (!old) return ring;
    uint32_t head = old->head, tail = tail_of(old);
    for (uint32_t at = head; at != tail; at += GRAIN)
        memcpy(ring->data + (at & (bytes - 1)), old->data + (at & (old_bytes - 1)), GRAIN);
    if (old->here && old->here - 1 - head < tail - head) copy_line(ring, bytes, old);
    ring->head = head;
    ring->front = tail;
    ring->consumed = old->consumed;
    return ring;
}

/* Of each ring to a rank that was on this node: like that of a wire, but all of them together stay below 64 MiB where
 * they can, should all ranks part. Both sides come to the same, from what they shared. */
static uint32_t bytes_of_new_wire(uint32_t shared_bytes)
{
    uint32_t bytes = region->wire_bytes > shared_bytes ? region->wire_bytes : shared_bytes;
    uint64_t rings = 2 * (uint64_t) (transport_size - 1);
    while (bytes > shared_bytes && bytes > WIRE_LEAST && rings * bytes > WIRES_TOGETHER) bytes /= 2;
    return bytes;
}

/* Who stays takes over all that the other has written. Who has moved does not: the other went on writing while the
 * memory was saved, so what lies behind `head` may be half of it. The other still has it, and sends it again. */
static void leave_shared_rings(struct peer *peer, bool elsewhere)
{
    uint32_t bytes = bytes_of_new_wire(peer->ring_bytes);
    peer->to = private_ring(bytes, peer->to, peer->ring_bytes);
    struct ring *from = private_ring(bytes, elsewhere ? NULL : peer->from, peer->ring_bytes);
    if (elsewhere) {
        from->front = from->head = peer->head;
        from->consumed = peer->from->consumed;
    }
    peer->from = from;
    peer->ring_bytes = bytes;
    peer->place = -1;
    wires++;
}

static void find_way(int other, struct peer *peer)
{
    peer->last = &peer->first;
    peer->place = region->place[other];
    peer->ring_bytes = peer->place < 0 ? region->wire_bytes : region->ring_bytes;
    if (other == transport_rank) {
        peer->to = peer->from = private_ring(peer->ring_bytes, NULL, 0);
    } else if (peer->place < 0) {
        peer->to = private_ring(peer->ring_bytes, NULL, 0);
        peer->from = private_ring(peer->ring_bytes, NULL, 0);
        wires++;
        host_wire(other, peer->to, peer->from, peer->ring_bytes);
    } else {
        peer->to = shared_ring(own_place, peer->place);
        peer->from = shared_ring(peer->place, own_place);
    }
    peer->lap = peer->ring_bytes < LAP_LEAST ? peer->ring_bytes : LAP_LEAST;
}

/* With a core for each rank, spinning is what is fast; with less, the one waited for needs the core. Where there are
 * wires, a wait is longer than a spin is worth, and looking at them costs more. */
static void choose_waiting(void)
{
    bool crowded = region->places > region->cores;
    spins = crowded ? 30 : wires ? 100 : 4000;
    yields = crowded ? 60 : 100;
}

static void map_region(void)
{
    static uint32_t room; /* that the region of another node may have again */
    uint32_t bytes = host_shared_bytes();
    if (bytes > room) {
        size_t page = __builtin_wasm_memory_grow(0, (bytes + PAGE - 1) / PAGE);
        if (page == (size_t) -1) {
            fprintf(stderr, "ecotone: no memory for %u bytes shared between the ranks\n", bytes);
            exit(1);
        }
        region = (struct region *) (page * PAGE);
        room = bytes;
    }
    transport_rank = host_map(region, bytes);
    own_place = region->place[transport_rank];
    controls = (struct control *) ((char *) region + 64 + ((region->size * sizeof(int32_t) + 63) & ~63u));
}

void transport_open(void)
{
    map_region();
    transport_size = (int) region->size;
    peers = calloc(region->size, sizeof *peers);
    for (int other = 0; other < transport_size; other++) find_way(other, &peers[other]);
    choose_waiting();
    transport_eager_bytes = region->ring_bytes / 4 < EAGER_MOST ? region->ring_bytes / 4 : EAGER_MOST;
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

/* The host of a rank that leaves says so first, before the rank can say anything elsewhere. */
bool transport_is_near(int rank)
{
    return rank == transport_rank || (peers[rank].place >= 0 && region->place[rank] >= 0);
}

uint32_t transport_window_pages(uint32_t *first)
{
    *first = (uint32_t) own_place * region->window_pages;
    return region->window_pages;
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

/* The host wants something: this rank moves, or another one has moved. All ways that are not what they were become
 * wires, with what is in their rings; both sides then tell each other how far they had come. The rings shared with a
 * rank that has left stay as they are, since nobody else has them. */
static void come_to_safe_point(void)
{
    uint32_t word = atomic_load(&controls[own_place].stop);
    host_safepoint();
    if (word % 4 == 0) atomic_compare_exchange_strong(&controls[own_place].stop, &word, 0); /* only to look around */
    bool elsewhere = host_moved();
    for (int other = 0; other < transport_size; other++)
        if (other != transport_rank && peers[other].place >= 0 && (elsewhere || region->place[other] < 0))
            leave_shared_rings(&peers[other], elsewhere);
    if (elsewhere) map_region();
    for (int other = 0; other < transport_size; other++)
        if (peers[other].place < 0) host_wire(other, peers[other].to, peers[other].from, peers[other].ring_bytes);
    peers[transport_rank].place = own_place;
    choose_waiting();
}

void safe_point(void)
{
    if (atomic_load_explicit(&controls[own_place].stop, memory_order_relaxed)) come_to_safe_point();
}

bool progress(void)
{
    bool moved = transport_progress();
    moved |= schedules_progress();
    safe_point();
    return moved;
}

/* Announce the sleep first, look once more, then sleep: a message that comes in between rings the bell. */
static void doze(void)
{
    struct control *control = &controls[own_place];
    uint32_t seen = atomic_load(&control->bell);
    atomic_store(&control->asleep, 1);
    bool moved = progress();
    if (control != &controls[own_place]) return; /* on another node now: that bell is nobody's any more */
    if (!moved) host_idle(&control->bell, seen);
    atomic_store(&control->asleep, 0);
}

/* Letting others run is good among ranks that wait for each other. Where the others compute, it costs a slice of
 * their time, and who sleeps is back much sooner: so it is timed now and then, and if it takes long, the next waits
 * sleep; the more of them, the more often that has been found. */
static void let_others_run(void)
{
    static unsigned turn;
    static int longer = BUSY_LEAST;
    if (++turn % YIELDS_TIMED) {
        host_yield();
        return;
    }
    double before = MPI_Wtime();
    host_yield();
    if (MPI_Wtime() - before > YIELD_SLOW_S) {
        busy = longer;
        longer = longer < BUSY_MOST ? 2 * longer : BUSY_MOST;
        turn--; /* the next one is timed again */
    } else if (longer > BUSY_LEAST) {
        longer /= 2;
    }
}

/* Nothing has moved `idle` times in a row: spin, then let others run, then sleep. */
void wait_moment(int *idle)
{
    if (++*idle <= (busy && spins > BUSY_SPINS ? BUSY_SPINS : spins)) return;
    ask_host = true;
    if (!busy && *idle <= spins + yields) {
        let_others_run();
        return;
    }
    doze();
    if (busy) busy--;
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
