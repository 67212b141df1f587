/* The way to each rank: rings that all ranks of a node share, or a wire; and how it changes when a rank moves. */
#include "transport.h"

#include <stdio.h>

HOST("shared_bytes") uint32_t host_shared_bytes(void);          /* how much `map` will map */
HOST("map") int host_map(void *address, uint32_t bytes);        /* returns the rank */
HOST("safepoint") void host_safepoint(void); /* the one place where a cell can be taken out of its process */
HOST("wire") void host_wire(int peer, struct ring *to, struct ring *from, uint32_t ring_bytes);
HOST("moved") int host_moved(void);    /* since the last call: the host is another one, and has mapped nothing */

#define PAGE 65536u
#define EAGER_MOST 16384u
#define LAP_LEAST 131072u
#define WIRE_LEAST 32768u
#define WIRES_TOGETHER (64u << 20)

int transport_rank, transport_size;
uint32_t transport_eager_bytes;
struct region *region;
struct control *controls;
struct peer *peers;
int wires, own_place;

static struct ring *shared_ring(int from_place, int to_place)
{
    char *rings = (char *) (controls + region->places);
    size_t each = sizeof(struct ring) + region->ring_bytes;
    return (struct ring *) (rings + ((size_t) from_place * region->places + to_place) * each);
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
