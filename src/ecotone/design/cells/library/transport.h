/* The rings between ranks, and what is known of them: for the files of the transport alone. transport.c moves packets,
 * ways.c finds the way to each rank, also after one has moved, and waiting.c waits. */
#ifndef ECO_TRANSPORT_H
#define ECO_TRANSPORT_H

#include "internal.h"

#include <stdatomic.h>

#define HOST(name) __attribute__((import_module("eco"), import_name(name)))

#define GRAIN 32u         /* packets are multiples of this */
#define SMALL 48u         /* header and up to 16 bytes */

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

extern ECO_HIDDEN struct region *region;
extern ECO_HIDDEN struct control *controls;
extern ECO_HIDDEN struct peer *peers;
extern ECO_HIDDEN int wires, own_place;
extern ECO_HIDDEN bool ask_host; /* at the next turn, since nothing else is to be done */

static inline uint32_t tail_of(const struct ring *ring) { return (uint32_t) ring->front; }

static inline bool carries_payload(const struct packet *header)
{
    return header->kind == PACKET_EAGER || header->kind == PACKET_DATA || header->kind == PACKET_NOTHING;
}

/* How to wait, from what is known of the region and of wires. */
void choose_waiting(void);

#endif
