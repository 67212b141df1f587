/* What the files of the library share. Read it from the top: transport, matching, types, communicators, schedules. */
#ifndef ECO_INTERNAL_H
#define ECO_INTERNAL_H

#ifdef ECO_NAMES
#include "names.h" /* generated: MPI_x becomes PMPI_x, so that a profiler may define MPI_x itself */
#endif
#include "mpi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ECO_HIDDEN __attribute__((visibility("hidden")))

/* ---- Transport (transport.c): one stream of packets for each ordered pair of ranks. ---- */

enum packet_kind {
    PACKET_EAGER = 1,    /* envelope and data */
    PACKET_READY,        /* envelope; the data waits with the sender until it is matched ("rendezvous") */
    PACKET_GO,           /* the receiver has a place: send the data */
    PACKET_DATA,         /* the data of a rendezvous; without a receiving request: a parcel of one-sided calls */
    PACKET_WITHDRAW,     /* the sender cancels a message; is it still unmatched? */
    PACKET_WITHDRAWN,    /* the answer: `tag` is 1 if it was unmatched and is gone now */
    PACKET_NOTHING,      /* of the transport: bytes to be passed over */
};

/* 32 bytes, and streams are multiples of 32 bytes: a header never wraps around the end of a ring. */
struct packet {
    uint32_t kind;
    uint32_t bytes;
    uint64_t context;
    int32_t source; /* rank of the sender in its group of the communicator */
    int32_t tag;
    uint32_t sender;   /* request of the sender: an address in its memory, which the receiver only hands back */
    uint32_t receiver; /* request of the receiver, likewise */
};

struct eco_request;

extern int transport_rank, transport_size;
extern uint32_t transport_eager_bytes;
void transport_open(void);
void transport_send(int to, const struct packet *header, const void *payload, struct eco_request *notify, void *owned);
/* Only if it can be whole, now: then nothing is kept of it. */
bool transport_send_now(int to, const struct packet *header, const void *payload);
bool transport_has_credit(int to, uint32_t bytes);
void transport_give_credit(int from, uint32_t bytes);
/* Is it on this node, now? */
bool transport_is_near(int rank);
/* Pages of this node's windows that this rank may give away: the first one, and how many. */
uint32_t transport_window_pages(uint32_t *first);
bool transport_quiet(void);
/* Moves whatever can move; true if something did. */
bool progress(void);
/* Here the host may take the rank out of its process. Part of `progress`, and of calls that may not need that. */
void safe_point(void);
/* Makes progress until `*flag` is not zero, and sleeps when nothing happens. */
void wait_until(const volatile bool *flag);
/* For loops that wait for something else: `idle` counts the turns without progress, and is set to 0 after one. */
void wait_moment(int *idle);
#define WAIT_WHILE(condition)                                                                                          \
    for (int idle_ = 0; condition;)                                                                                    \
        if (progress())                                                                                                \
            idle_ = 0;                                                                                                 \
        else                                                                                                           \
            wait_moment(&idle_)
_Noreturn void eco_abort(int code);

/* Called by the transport: where shall this message go, and: it is there. */
struct delivery {
    char *into;
    uint32_t room;
    struct eco_request *request;
    struct unexpected *unexpected;
};
void deliver_begin(int from, const struct packet *header, struct delivery *delivery);
void deliver_end(int from, const struct packet *header, struct delivery *delivery);
void send_pushed(struct eco_request *request);

/* Parcels of one-sided calls (window_target.c). */
void parcel_begin(int from, const struct packet *header, struct delivery *delivery);
void parcel_end(int from, const struct packet *header, struct delivery *delivery);

/* ---- Requests and matching (matching.c, request.c) ---- */

enum request_kind { REQUEST_SEND = 1, REQUEST_RECEIVE, REQUEST_SCHEDULE, REQUEST_GENERALIZED, REQUEST_NOTHING, REQUEST_ACCESS };
enum send_mode { SEND_STANDARD, SEND_BUFFERED, SEND_SYNCHRONOUS, SEND_READY };

struct eco_request {
    struct eco_request *next; /* in the list of posted receives, or of free requests */
    enum request_kind kind;
    volatile bool complete;
    bool persistent, active, detached, cancelled, pushed, withdrawing, matched;
    enum send_mode mode;
    struct eco_comm *comm;
    const void *buffer;
    int count;
    struct eco_type *type;
    int peer; /* rank in the communicator, or MPI_ANY_SOURCE, MPI_PROC_NULL */
    int tag;
    uint64_t context;
    int error;
    MPI_Status status;
    char *packed;       /* own copy of data that is not contiguous */
    uint32_t bytes;     /* sent */
    uint32_t serial;    /* of the message sent */
    struct schedule *schedule; /* of a collective; or the one that waits for this request (owner) */
    struct schedule *owner;
    struct buffered *buffered; /* segment of the attached buffer */
    struct eco_request *twin;  /* of a buffered send: the request that sends the copy, and back */
    struct generalized *generalized;
    struct eco_win *window; /* of a one-sided call that its window waits for */
};

struct unexpected {
    struct unexpected *next;
    struct packet header;
    int from; /* rank in the world */
    bool arrived;
    char *data;
    struct eco_request *request; /* matched before it had arrived whole */
};

struct eco_message {
    struct unexpected *unexpected;
    struct eco_comm *comm;
};

unsigned matching_posted(void);
unsigned matching_unexpected(void);
unsigned matching_sent(void);
struct eco_request *request_new(enum request_kind kind);
void request_release(struct eco_request *request);
void request_complete(struct eco_request *request);
/* Waits, fills the status, frees or deactivates; returns the request's error. */
int request_finish(MPI_Request *request, MPI_Status *status);
void status_set_empty(MPI_Status *status);
void status_give_empty(MPI_Status *status);

void send_start(struct eco_request *request);
/* A standard send that needs no request, since it is over when this returns true; if not, nothing has happened. */
bool send_quickly(const void *buffer, int count, const struct eco_type *type, int to, int tag,
                  const struct eco_comm *comm, uint64_t context);
void receive_start(struct eco_request *request);
void receive_message(struct eco_request *request, struct unexpected *message);
struct unexpected *unexpected_find(uint64_t context, int source, int tag, bool remove);
bool receive_cancel(struct eco_request *request);
struct eco_request *send_begin(const void *buffer, int count, struct eco_type *type, int to, int tag,
                               struct eco_comm *comm, enum send_mode mode);
struct eco_request *receive_begin(void *buffer, int count, struct eco_type *type, int from, int tag,
                                  struct eco_comm *comm);
/* Point to point inside the library, on a communicator's second context. */
void send_internal(const void *buffer, int count, struct eco_type *type, int to, int tag, struct eco_comm *comm);
void receive_internal(void *buffer, int count, struct eco_type *type, int from, int tag, struct eco_comm *comm);
struct eco_request *internal_receive_begin(void *buffer, int count, struct eco_type *type, int from, int tag,
                                           struct eco_comm *comm);
int buffered_attach(struct eco_request *request);
void buffered_release(struct buffered *segment);

/* ---- Datatypes (layout.c, type_*.c) ---- */

enum element_class { CLASS_NONE, CLASS_INTEGER, CLASS_REAL, CLASS_COMPLEX, CLASS_LOGICAL, CLASS_BYTE, CLASS_PAIR };

/* `blocks` elements of `type`, end to end, from `offset` on. */
struct part {
    long long offset;
    int blocks;
    struct eco_type *type;
};

/* A type is its parts, repeated at a stride: that is enough for every constructor of the standard. One that needs more
 * than the 32 bits of an MPI_Aint describes a file, never memory. */
struct eco_type {
    int references; /* 0: predefined, never freed */
    bool committed;
    bool dense;      /* one run of `size` bytes from `true_lb` on */
    bool whole;      /* dense, and one element follows the other without a gap */
    bool wide;       /* needs more than 32 bits */
    bool lower_set, upper_set; /* by a marker or by resizing: such bounds win over those of the data */
    int align;
    long long size, lb, ub, true_lb, true_ub;
    long long elements; /* predefined ones in it */
    int repeats;
    long long stride;
    int part_count;
    struct part *parts;
    int combiner;
    int integer_count, address_count, type_count;
    int *integers;
    MPI_Aint *addresses;
    struct eco_type **types;
    struct attribute *attributes;
    enum element_class element_class;
    const struct reduction *reduction; /* built-in operators on this type */
    char name[MPI_MAX_OBJECT_NAME];
};

static inline long long type_extent(const struct eco_type *type) { return type->ub - type->lb; }
static inline bool is_aint(long long value) { return value == (MPI_Aint) value; }
static inline bool type_whole(const struct eco_type *type) { return type->whole; }
struct eco_type *type_hold(struct eco_type *type);
void type_release(struct eco_type *type);
/* These give NULL if its size or extent would need more than 62 bits. */
struct eco_type *type_vector(int count, int blocks, long long stride, struct eco_type *old);
struct eco_type *type_build(int repeats, long long stride, int count, const struct part *parts);
struct eco_type *type_parts(int count, const struct part *parts);
struct eco_type *type_resized(struct eco_type *old, long long lb, long long extent);
void type_record(struct eco_type *type, int combiner, int integer_count, const int *integers, int address_count,
                 const MPI_Aint *addresses, int type_count, struct eco_type *const *types);
/* A type as numbers, for another rank of the same program (type_code.c): `into` may be NULL, to measure. */
int type_encode(const struct eco_type *type, int32_t *into);
struct eco_type *type_decode(const int32_t **numbers);
/* The one predefined type that all its elements are of; NULL if there are several, or none. */
struct eco_type *type_basic(struct eco_type *type);
/* Copies at most `limit` bytes between the scattered elements and a contiguous buffer; returns how many. */
size_t layout_pack(const void *elements, int count, const struct eco_type *type, void *packed, size_t limit);
size_t layout_unpack(void *elements, int count, const struct eco_type *type, const void *packed, size_t limit);
void layout_copy(const void *from, int from_count, const struct eco_type *from_type, void *to, int to_count,
                 const struct eco_type *to_type);
/* Predefined elements in the first `bytes` of packed data; -1 if it ends within one. */
long long layout_elements(const struct eco_type *type, long long bytes);
static inline void *element_at(const void *buffer, MPI_Aint index, const struct eco_type *type)
{
    return (char *) buffer + (MPI_Aint) (index * type_extent(type));
}

/* ---- Groups, communicators (group.c, communicator.c, intercommunicator.c) ---- */

struct eco_group {
    int references;
    int size;
    int rank;   /* of this process, or MPI_UNDEFINED */
    int *world; /* rank in the world of each member */
};

struct eco_comm {
    int references;
    uint64_t context; /* of messages; the next number is that of collectives */
    int rank;
    struct eco_group *local, *remote; /* remote is local, except in an intercommunicator */
    struct eco_comm *within;          /* of an intercommunicator: this side alone, for its collectives */
    uint32_t children;                /* communicators derived so far: the same number on all members */
    int32_t sequence;                 /* collectives so far: their tag */
    struct topology *topology;
    struct attribute *attributes;
    struct eco_errhandler *errhandler;
    struct eco_info *info;
    bool freed;
    char name[MPI_MAX_OBJECT_NAME];
};

static inline bool comm_is_inter(const struct eco_comm *comm) { return comm->remote != comm->local; }
static inline int comm_size(const struct eco_comm *comm) { return comm->local->size; }
static inline int comm_remote_size(const struct eco_comm *comm) { return comm->remote->size; }
struct eco_group *group_new(int size, const int *world);
void group_release(struct eco_group *group);
int group_position(const struct eco_group *group, int world);
struct eco_comm *comm_new(struct eco_group *local, struct eco_group *remote, uint64_t context);
struct eco_comm *comm_hold(struct eco_comm *comm);
void comm_release(struct eco_comm *comm);
uint64_t context_of_child(struct eco_comm *parent);
uint64_t context_unique(void);
void comm_inherit(struct eco_comm *comm, const struct eco_comm *parent);
void comm_open(void);

/* ---- Attributes, info, errors ---- */

enum keyval_object { KEYVAL_COMM, KEYVAL_TYPE, KEYVAL_WIN };
int attributes_copy(void *object, struct attribute *from, struct attribute **to);
int attributes_delete(void *object, struct attribute **attributes);
int attribute_set(enum keyval_object kind, void *object, struct attribute **list, int keyval, void *value);
int attribute_get(struct attribute *list, int keyval, void *value, int *found);
int attribute_delete(enum keyval_object kind, void *object, struct attribute **list, int keyval);

struct eco_info *info_copy(const struct eco_info *info);
void info_release(struct eco_info *info);
/* What `from` has goes into `*into`, which is made if it is not there. */
void info_merge(struct eco_info **into, const struct eco_info *from);
const char *info_value(const struct eco_info *info, const char *key);
void errhandler_hold(struct eco_errhandler *handler);
void errhandler_release(struct eco_errhandler *handler);
extern int error_last_code;

/* Calls the error handler of the communicator (of the world if there is none) and returns the code. */
int comm_error(struct eco_comm *comm, int code, const char *function);
#define FAIL(comm, code) return comm_error(comm, code, __func__)
#define REQUIRE(condition, comm, code)                                                                                 \
    do {                                                                                                               \
        if (!(condition)) FAIL(comm, code);                                                                            \
    } while (0)
#define PASS(comm, expression)                                                                                         \
    do {                                                                                                               \
        int code_ = (expression);                                                                                      \
        if (code_) FAIL(comm, code_);                                                                                  \
    } while (0)
bool initialized(void);
int check_comm(struct eco_comm *comm);
int check_data(const void *buffer, int count, const struct eco_type *type);

/* ---- Operators (operator.c) ---- */

struct eco_op {
    int references;
    bool commutative;
    int builtin; /* index into the table of a type, or -1 */
    MPI_User_function *function;
    const char *name;
};
int op_check(const struct eco_op *op, const struct eco_type *type);
/* inout[i] = in[i] op inout[i] */
void op_apply(struct eco_op *op, const void *in, void *inout, int count, struct eco_type *type);

/* From this size on collectives choose for bandwidth, below it for few rounds. */
extern unsigned collective_large_bytes;

/* ---- Schedules (schedule.c): every collective is a list of rounds of sends, receives, copies, reductions. ---- */

/* The tag of the next collective: every member asks for it in the same order. */
int32_t collective_tag(struct eco_comm *comm);
struct schedule *schedule_new(struct eco_comm *comm);
void schedule_send(struct schedule *schedule, const void *buffer, int count, struct eco_type *type, int to);
void schedule_receive(struct schedule *schedule, void *buffer, int count, struct eco_type *type, int from);
void schedule_copy(struct schedule *schedule, const void *from, int from_count, struct eco_type *from_type, void *to,
                   int to_count, struct eco_type *to_type);
/* inout = in op inout, when the round before has ended */
void schedule_reduce(struct schedule *schedule, struct eco_op *op, const void *in, void *inout, int count,
                     struct eco_type *type);
void schedule_then(struct schedule *schedule); /* what follows waits for what is above */
void *schedule_memory(struct schedule *schedule, size_t bytes);
/* A place for `count` elements, addressed as the elements of a user's buffer are */
void *schedule_place(struct schedule *schedule, int count, const struct eco_type *type);
/* What follows goes within this side of an intercommunicator, or to the other side again. */
void schedule_within(struct schedule *schedule, bool within);
/* Tells messages between the same two ranks apart whose order may differ at both ends; 0 to 63. */
void schedule_slot(struct schedule *schedule, int slot);
/* With a request it only starts, without one it waits for the end. */
int schedule_run(struct schedule *schedule, MPI_Request *request);
bool schedules_progress(void);
void schedule_part_done(struct schedule *schedule, int error);
void schedule_free(struct schedule *schedule);

/* ---- Topologies (topology_*.c) ---- */

enum topology_kind { TOPOLOGY_CART = MPI_CART, TOPOLOGY_GRAPH = MPI_GRAPH, TOPOLOGY_DIST_GRAPH = MPI_DIST_GRAPH };
struct topology {
    enum topology_kind kind;
    int dimensions;
    int *sizes, *periods, *coordinates; /* Cartesian */
    int nodes, edges;
    int *index, *neighbours;            /* graph */
    int in_count, out_count;            /* distributed graph */
    int *in, *out, *in_weights, *out_weights;
    bool weighted;
};
struct topology *topology_copy(const struct topology *topology);
void topology_free(struct topology *topology);
/* Who sends to this rank, and to whom it sends, in the order of the neighbourhood collectives; caller frees. */
int topology_sources(struct eco_comm *comm, int **ranks);
int topology_targets(struct eco_comm *comm, int **ranks);

void *eco_allocate(size_t bytes);
int *eco_copy_ints(const int *values, int count);

#endif
