/* Buffered sends: segments of the buffer that the program has attached, freed when the transport has taken them. */
#include "internal.h"

/* Segments lie in the attached buffer in order of address, each with its data behind it. */
struct buffered {
    struct buffered *next;
    uint32_t bytes; /* with this head */
    volatile bool used;
};

static char *attached;
static size_t attached_bytes;
static struct buffered *first;

#define ALIGN 8u
_Static_assert(sizeof(struct buffered) + 2 * ALIGN <= MPI_BSEND_OVERHEAD, "a message may need no more");

static char *aligned(char *address)
{
    return (char *) (((uintptr_t) address + ALIGN - 1) & ~(uintptr_t) (ALIGN - 1));
}

/* The first gap that is large enough. */
static struct buffered *segment_new(size_t data_bytes)
{
    size_t bytes = (sizeof(struct buffered) + data_bytes + ALIGN - 1) & ~(size_t) (ALIGN - 1);
    char *place = aligned(attached);
    struct buffered **link = &first;
    while (*link && (size_t) ((char *) *link - place) < bytes) {
        place = (char *) *link + (*link)->bytes;
        link = &(*link)->next;
    }
    char *end = *link ? (char *) *link : attached + attached_bytes;
    if (place > end || (size_t) (end - place) < bytes) return NULL;
    struct buffered *segment = (struct buffered *) place;
    *segment = (struct buffered){.next = *link, .bytes = (uint32_t) bytes, .used = true};
    *link = segment;
    return segment;
}

void buffered_release(struct buffered *segment) { segment->used = false; }

static void sweep(void)
{
    for (struct buffered **link = &first; *link;) {
        if ((*link)->used)
            link = &(*link)->next;
        else
            *link = (*link)->next;
    }
}

/* Copies the message into the attached buffer and sends it from there; the request itself is complete at once. */
int buffered_attach(struct eco_request *request)
{
    size_t bytes = (size_t) request->count * request->type->size;
    progress();
    sweep();
    struct buffered *segment = attached ? segment_new(bytes) : NULL;
    if (!segment) return MPI_ERR_BUFFER;
    layout_pack(request->buffer, request->count, request->type, segment + 1, bytes);
    struct eco_request *copy = request_new(REQUEST_SEND);
    copy->buffer = segment + 1;
    copy->count = (int) bytes;
    copy->type = MPI_BYTE;
    copy->peer = request->peer;
    copy->tag = request->tag;
    copy->comm = comm_hold(request->comm);
    copy->context = request->context;
    copy->buffered = segment;
    copy->detached = true;
    if (request->twin) request->twin->twin = NULL; /* of the time before, and still under way: on its own from now on */
    copy->twin = request;
    request->twin = copy;
    copy->mode = SEND_STANDARD;
    send_start(copy); /* if it is done at once, `twin` is empty again */
    request_complete(request);
    return MPI_SUCCESS;
}

int MPI_Buffer_attach(void *buffer, int size)
{
    REQUIRE(size >= 0, NULL, MPI_ERR_ARG);
    REQUIRE(!attached, NULL, MPI_ERR_BUFFER);
    attached = buffer;
    attached_bytes = (size_t) size;
    return MPI_SUCCESS;
}

int MPI_Buffer_detach(void *buffer, int *size)
{
    REQUIRE(buffer && size, NULL, MPI_ERR_ARG);
    for (struct buffered *segment = first; segment; segment = segment->next) {
        int idle = 0;
        while (segment->used)
            if (progress())
                idle = 0;
            else
                wait_moment(&idle);
    }
    *(void **) buffer = attached;
    *size = (int) attached_bytes;
    attached = NULL;
    first = NULL;
    return MPI_SUCCESS;
}
