/* Collectives as schedules. A builder writes down, once, which sends, receives, copies and reductions are to be done
 * and where one has to wait; the progress engine carries it out. Blocking and non-blocking calls share everything. */
#include "internal.h"

enum step_kind { STEP_SEND, STEP_RECEIVE, STEP_COPY, STEP_REDUCE, STEP_THEN };

struct step {
    enum step_kind kind;
    const void *from; /* of a copy or reduction; of a send */
    void *to;
    int count, to_count, peer, tag;
    struct eco_type *type, *to_type;
    struct eco_op *op;
    struct eco_comm *comm;
};
struct memory {
    struct memory *next;
    _Alignas(16) char data[];
};
struct schedule {
    struct schedule *next_ready;
    struct eco_comm *comm, *via;
    int32_t tag, within_tag, slot;
    int count, capacity, next, pending;
    bool advancing, finished, ready;
    int error;
    struct step *steps;
    struct memory *memory;
    struct eco_request *request;
};

#define SEQUENCE_MASK 0x1ffffff
#define SLOT_BITS 6

static struct schedule *ready_first, **ready_last = &ready_first;
static struct schedule *spare; /* with its array of steps: most collectives of a program look alike */

int32_t collective_tag(struct eco_comm *comm) { return (++comm->sequence & SEQUENCE_MASK) << SLOT_BITS; }

struct schedule *schedule_new(struct eco_comm *comm)
{
    struct schedule *schedule = spare;
    struct step *steps = NULL;
    int capacity = 0;
    if (schedule) {
        spare = schedule->next_ready;
        steps = schedule->steps;
        capacity = schedule->capacity;
    } else {
        schedule = eco_allocate(sizeof *schedule);
    }
    *schedule = (struct schedule){.comm = comm_hold(comm), .via = comm, .steps = steps, .capacity = capacity};
    schedule->tag = collective_tag(comm);
    if (comm->within) schedule->within_tag = collective_tag(comm->within);
    return schedule;
}

void schedule_free(struct schedule *schedule)
{
    for (int i = 0; i < schedule->count; i++) {
        if (schedule->steps[i].type) type_release(schedule->steps[i].type);
        if (schedule->steps[i].to_type) type_release(schedule->steps[i].to_type);
        if (schedule->steps[i].op && schedule->steps[i].op->references && --schedule->steps[i].op->references == 0)
            free(schedule->steps[i].op);
    }
    while (schedule->memory) {
        struct memory *memory = schedule->memory;
        schedule->memory = memory->next;
        free(memory);
    }
    comm_release(schedule->comm);
    schedule->next_ready = spare;
    spare = schedule;
}

/* ---- Building ---- */

static struct step *step_new(struct schedule *schedule, enum step_kind kind)
{
    if (schedule->count == schedule->capacity) {
        schedule->capacity = schedule->capacity ? 2 * schedule->capacity : 16;
        schedule->steps = realloc(schedule->steps, (size_t) schedule->capacity * sizeof *schedule->steps);
        if (!schedule->steps) eco_abort(MPI_ERR_NO_MEM);
    }
    struct step *step = &schedule->steps[schedule->count++];
    *step = (struct step){.kind = kind, .comm = schedule->via};
    step->tag = (schedule->via == schedule->comm ? schedule->tag : schedule->within_tag) + schedule->slot;
    return step;
}

void schedule_send(struct schedule *schedule, const void *buffer, int count, struct eco_type *type, int to)
{
    struct step *step = step_new(schedule, STEP_SEND);
    step->from = buffer;
    step->count = count;
    step->type = type_hold(type);
    step->peer = to;
}

void schedule_receive(struct schedule *schedule, void *buffer, int count, struct eco_type *type, int from)
{
    struct step *step = step_new(schedule, STEP_RECEIVE);
    step->to = buffer;
    step->count = count;
    step->type = type_hold(type);
    step->peer = from;
}

void schedule_copy(struct schedule *schedule, const void *from, int from_count, struct eco_type *from_type, void *to,
                   int to_count, struct eco_type *to_type)
{
    struct step *step = step_new(schedule, STEP_COPY);
    step->from = from;
    step->count = from_count;
    step->type = type_hold(from_type);
    step->to = to;
    step->to_count = to_count;
    step->to_type = type_hold(to_type);
}

void schedule_reduce(struct schedule *schedule, struct eco_op *op, const void *in, void *inout, int count,
                     struct eco_type *type)
{
    struct step *step = step_new(schedule, STEP_REDUCE);
    step->from = in;
    step->to = inout;
    step->count = count;
    step->type = type_hold(type);
    step->op = op;
    if (op->references) op->references++;
}

void schedule_then(struct schedule *schedule)
{
    if (schedule->count && schedule->steps[schedule->count - 1].kind != STEP_THEN) step_new(schedule, STEP_THEN);
}

void schedule_within(struct schedule *schedule, bool within)
{
    schedule->via = within && schedule->comm->within ? schedule->comm->within : schedule->comm;
}

void schedule_slot(struct schedule *schedule, int slot) { schedule->slot = slot; }

void *schedule_memory(struct schedule *schedule, size_t bytes)
{
    struct memory *memory = eco_allocate(sizeof *memory + bytes);
    memory->next = schedule->memory;
    schedule->memory = memory;
    return memory->data;
}

/* Whole elements with their gaps: a user's operator may assign them as structures. */
void *schedule_place(struct schedule *schedule, int count, const struct eco_type *type)
{
    MPI_Aint span = count > 1 ? (count - 1) * type_extent(type) : 0;
    MPI_Aint low = type->lb < type->true_lb ? type->lb : type->true_lb;
    MPI_Aint high = type->ub > type->true_ub ? type->ub : type->true_ub;
    MPI_Aint lowest = low + (span < 0 ? span : 0), bytes = high - low + (span < 0 ? -span : span);
    return (char *) schedule_memory(schedule, (size_t) bytes) - lowest;
}

/* ---- Running ---- */

static void start_message(struct schedule *schedule, const struct step *step)
{
    bool send = step->kind == STEP_SEND;
    if (send && send_quickly(step->from, step->count, step->type, step->peer, step->tag, step->comm,
                             step->comm->context + 1))
        return;
    struct eco_request *request = request_new(send ? REQUEST_SEND : REQUEST_RECEIVE);
    request->buffer = send ? step->from : step->to;
    request->count = step->count;
    request->type = type_hold(step->type);
    request->peer = step->peer;
    request->tag = step->tag;
    request->comm = comm_hold(step->comm);
    request->context = step->comm->context + 1;
    request->owner = schedule;
    request->detached = true;
    schedule->pending++;
    if (send)
        send_start(request);
    else
        receive_start(request);
}

static void do_step(struct schedule *schedule, const struct step *step)
{
    switch (step->kind) {
    case STEP_COPY: layout_copy(step->from, step->count, step->type, step->to, step->to_count, step->to_type); break;
    case STEP_REDUCE: op_apply(step->op, step->from, step->to, step->count, step->type); break;
    case STEP_THEN: break;
    default: start_message(schedule, step);
    }
}

static void advance(struct schedule *schedule)
{
    schedule->advancing = true;
    while (schedule->next < schedule->count) {
        const struct step *step = &schedule->steps[schedule->next];
        if (step->kind == STEP_THEN && schedule->pending) break;
        schedule->next++;
        do_step(schedule, step);
    }
    schedule->advancing = false;
    if (schedule->next < schedule->count || schedule->pending || schedule->finished) return;
    schedule->finished = true;
    schedule->request->error = schedule->error;
    request_complete(schedule->request); /* may free the schedule */
}

void schedule_part_done(struct schedule *schedule, int error)
{
    if (error && !schedule->error) schedule->error = error;
    if (--schedule->pending || schedule->advancing || schedule->ready) return;
    schedule->ready = true;
    schedule->next_ready = NULL;
    *ready_last = schedule;
    ready_last = &schedule->next_ready;
}

bool schedules_progress(void)
{
    bool moved = false;
    while (ready_first) {
        struct schedule *schedule = ready_first;
        ready_first = schedule->next_ready;
        if (!ready_first) ready_last = &ready_first;
        schedule->ready = false;
        advance(schedule);
        moved = true;
    }
    return moved;
}

int schedule_run(struct schedule *schedule, MPI_Request *result)
{
    struct eco_request *request = request_new(REQUEST_SCHEDULE);
    request->schedule = schedule;
    request->comm = comm_hold(schedule->comm);
    request->status.MPI_SOURCE = MPI_ANY_SOURCE;
    schedule->request = request;
    schedule->slot = 0;
    safe_point();
    advance(schedule);
    if (result) {
        *result = request;
        return MPI_SUCCESS;
    }
    return request_finish(&request, NULL);
}
