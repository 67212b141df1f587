/* Point-to-point calls: arguments are checked here, and then it is a request that is started and waited for. */
#include "internal.h"

#define TAG_MAX 0x3fffffff

/* ---- Checks ---- */

int check_data(const void *buffer, int count, const struct eco_type *type)
{
    if (count < 0) return MPI_ERR_COUNT;
    if (!type) return MPI_ERR_TYPE;
    if (!type->committed || type->wide) return MPI_ERR_TYPE;
    if (!buffer && count > 0 && type->size > 0 && type->references == 0) return MPI_ERR_BUFFER;
    return MPI_SUCCESS;
}

static int check_peer(struct eco_comm *comm, int rank)
{
    bool known = rank == MPI_PROC_NULL || (rank >= 0 && rank < comm_remote_size(comm));
    return known ? MPI_SUCCESS : MPI_ERR_RANK;
}

static int check_tag(int tag) { return tag >= 0 && tag <= TAG_MAX ? MPI_SUCCESS : MPI_ERR_TAG; }

static int check_send(const void *buffer, int count, struct eco_type *type, int to, int tag, struct eco_comm *comm)
{
    int code = check_data(buffer, count, type);
    if (!code) code = check_peer(comm, to);
    return code ? code : check_tag(tag);
}

static int check_envelope(int from, int tag, struct eco_comm *comm)
{
    if (from != MPI_ANY_SOURCE && check_peer(comm, from)) return MPI_ERR_RANK;
    return tag == MPI_ANY_TAG ? MPI_SUCCESS : check_tag(tag);
}

static int check_receive(const void *buffer, int count, struct eco_type *type, int from, int tag, struct eco_comm *comm)
{
    int code = check_data(buffer, count, type);
    return code ? code : check_envelope(from, tag, comm);
}

/* ---- Requests ---- */

static struct eco_request *message_request(enum request_kind kind, const void *buffer, int count,
                                           struct eco_type *type, int peer, int tag, struct eco_comm *comm)
{
    struct eco_request *request = request_new(kind);
    request->buffer = buffer;
    request->count = count;
    request->type = type_hold(type);
    request->peer = peer;
    request->tag = tag;
    request->comm = comm_hold(comm);
    request->context = comm->context;
    return request;
}

struct eco_request *send_begin(const void *buffer, int count, struct eco_type *type, int to, int tag,
                               struct eco_comm *comm, enum send_mode mode)
{
    struct eco_request *request = message_request(REQUEST_SEND, buffer, count, type, to, tag, comm);
    request->mode = mode;
    send_start(request);
    return request;
}

struct eco_request *receive_begin(void *buffer, int count, struct eco_type *type, int from, int tag,
                                  struct eco_comm *comm)
{
    struct eco_request *request = message_request(REQUEST_RECEIVE, buffer, count, type, from, tag, comm);
    receive_start(request);
    return request;
}

void send_internal(const void *buffer, int count, struct eco_type *type, int to, int tag, struct eco_comm *comm)
{
    struct eco_request *request = message_request(REQUEST_SEND, buffer, count, type, to, tag, comm);
    request->context++;
    send_start(request);
    request_finish(&request, NULL);
}

struct eco_request *internal_receive_begin(void *buffer, int count, struct eco_type *type, int from, int tag,
                                           struct eco_comm *comm)
{
    struct eco_request *request = message_request(REQUEST_RECEIVE, buffer, count, type, from, tag, comm);
    request->context++;
    receive_start(request);
    return request;
}

void receive_internal(void *buffer, int count, struct eco_type *type, int from, int tag, struct eco_comm *comm)
{
    struct eco_request *request = internal_receive_begin(buffer, count, type, from, tag, comm);
    request_finish(&request, NULL);
}

static int buffered_begin(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                          MPI_Request *result)
{
    struct eco_request *request = message_request(REQUEST_SEND, buffer, count, type, to, tag, comm);
    request->mode = SEND_BUFFERED;
    int code = MPI_SUCCESS;
    if (to == MPI_PROC_NULL)
        request_complete(request);
    else
        code = buffered_attach(request);
    if (code) {
        request->active = false;
        request_release(request);
        request = MPI_REQUEST_NULL;
    }
    *result = request;
    return code;
}

static int start_send(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                      enum send_mode mode, MPI_Request *request)
{
    int code = check_comm(comm);
    if (!code) code = check_send(buffer, count, type, to, tag, comm);
    if (code) return code;
    if (mode == SEND_BUFFERED) return buffered_begin(buffer, count, type, to, tag, comm, request);
    *request = send_begin(buffer, count, type, to, tag, comm, mode);
    return MPI_SUCCESS;
}

static int start_receive(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
                         MPI_Request *request)
{
    int code = check_comm(comm);
    if (!code) code = check_receive(buffer, count, type, from, tag, comm);
    if (code) return code;
    *request = receive_begin(buffer, count, type, from, tag, comm);
    return MPI_SUCCESS;
}

/* ---- The calls ---- */

#define SEND(name, mode)                                                                                               \
    int MPI_##name(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)                   \
    {                                                                                                                  \
        MPI_Request request;                                                                                           \
        if (mode == SEND_STANDARD && !check_comm(comm) && !check_send(buffer, count, type, to, tag, comm) &&           \
            send_quickly(buffer, count, type, to, tag, comm, comm->context))                                           \
            return MPI_SUCCESS;                                                                                        \
        PASS(comm, start_send(buffer, count, type, to, tag, comm, mode, &request));                                    \
        PASS(comm, request_finish(&request, NULL));                                                                    \
        return MPI_SUCCESS;                                                                                            \
    }
SEND(Send, SEND_STANDARD)
SEND(Bsend, SEND_BUFFERED)
SEND(Ssend, SEND_SYNCHRONOUS)
SEND(Rsend, SEND_READY)

#define ISEND(name, mode)                                                                                              \
    int MPI_##name(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,                   \
                   MPI_Request *request)                                                                               \
    {                                                                                                                  \
        REQUIRE(request, comm, MPI_ERR_ARG);                                                                           \
        PASS(comm, start_send(buffer, count, type, to, tag, comm, mode, request));                                     \
        return MPI_SUCCESS;                                                                                            \
    }
ISEND(Isend, SEND_STANDARD)
ISEND(Ibsend, SEND_BUFFERED)
ISEND(Issend, SEND_SYNCHRONOUS)
ISEND(Irsend, SEND_READY)

static MPI_Request persistent(enum request_kind kind, const void *buffer, int count, MPI_Datatype type, int peer,
                              int tag, MPI_Comm comm)
{
    MPI_Request request = message_request(kind, buffer, count, type, peer, tag, comm);
    request->persistent = true;
    request->active = false;
    return request;
}

#define SEND_INIT(name, send_mode)                                                                                     \
    int MPI_##name(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,                   \
                   MPI_Request *request)                                                                               \
    {                                                                                                                  \
        REQUIRE(request, comm, MPI_ERR_ARG);                                                                           \
        PASS(comm, check_comm(comm));                                                                                  \
        PASS(comm, check_send(buffer, count, type, to, tag, comm));                                                    \
        *request = persistent(REQUEST_SEND, buffer, count, type, to, tag, comm);                                       \
        (*request)->mode = send_mode;                                                                                  \
        return MPI_SUCCESS;                                                                                            \
    }
SEND_INIT(Send_init, SEND_STANDARD)
SEND_INIT(Bsend_init, SEND_BUFFERED)
SEND_INIT(Ssend_init, SEND_SYNCHRONOUS)
SEND_INIT(Rsend_init, SEND_READY)

int MPI_Recv(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status *status)
{
    MPI_Request request;
    PASS(comm, start_receive(buffer, count, type, from, tag, comm, &request));
    PASS(comm, request_finish(&request, status));
    return MPI_SUCCESS;
}

int MPI_Irecv(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request)
{
    REQUIRE(request, comm, MPI_ERR_ARG);
    PASS(comm, start_receive(buffer, count, type, from, tag, comm, request));
    return MPI_SUCCESS;
}

int MPI_Recv_init(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request)
{
    REQUIRE(request, comm, MPI_ERR_ARG);
    PASS(comm, check_comm(comm));
    PASS(comm, check_receive(buffer, count, type, from, tag, comm));
    *request = persistent(REQUEST_RECEIVE, buffer, count, type, from, tag, comm);
    return MPI_SUCCESS;
}

int MPI_Sendrecv(const void *send_buffer, int send_count, MPI_Datatype send_type, int to, int send_tag,
                 void *receive_buffer, int receive_count, MPI_Datatype receive_type, int from, int receive_tag,
                 MPI_Comm comm, MPI_Status *status)
{
    MPI_Request receive, send;
    PASS(comm, check_comm(comm));
    PASS(comm, check_send(send_buffer, send_count, send_type, to, send_tag, comm));
    PASS(comm, start_receive(receive_buffer, receive_count, receive_type, from, receive_tag, comm, &receive));
    send = send_begin(send_buffer, send_count, send_type, to, send_tag, comm, SEND_STANDARD);
    int code = request_finish(&send, NULL), received = request_finish(&receive, status);
    PASS(comm, code ? code : received);
    return MPI_SUCCESS;
}

int MPI_Sendrecv_replace(void *buffer, int count, MPI_Datatype type, int to, int send_tag, int from, int receive_tag,
                         MPI_Comm comm, MPI_Status *status)
{
    PASS(comm, check_comm(comm));
    PASS(comm, check_send(buffer, count, type, to, send_tag, comm));
    size_t bytes = (size_t) count * type->size;
    char *copy = eco_allocate(bytes);
    layout_pack(buffer, count, type, copy, bytes);
    int code = MPI_Sendrecv(copy, (int) bytes, MPI_BYTE, to, send_tag, buffer, count, type, from, receive_tag, comm,
                            status);
    free(copy);
    return code;
}

/* ---- Probing ---- */

static void envelope_status(const struct unexpected *message, MPI_Status *status)
{
    if (!status) return;
    status->MPI_SOURCE = message->header.source;
    status->MPI_TAG = message->header.tag;
    status->eco_bytes = message->header.bytes;
    status->eco_cancelled = 0;
}

static void envelope_of_nobody(MPI_Status *status)
{
    if (!status) return;
    status_give_empty(status);
    status->MPI_SOURCE = MPI_PROC_NULL;
}

static struct unexpected *look(int from, int tag, MPI_Comm comm, bool remove, bool wait)
{
    int idle = 0;
    struct unexpected *message = unexpected_find(comm->context, from, tag, remove);
    while (!message) {
        bool moved = progress();
        message = unexpected_find(comm->context, from, tag, remove);
        if (message || !wait) break;
        if (moved)
            idle = 0;
        else
            wait_moment(&idle);
    }
    return message;
}

static int probe(int from, int tag, MPI_Comm comm, bool wait, int *flag, MPI_Status *status)
{
    int code = check_comm(comm);
    if (!code) code = check_envelope(from, tag, comm);
    if (code) return code;
    *flag = 1;
    if (from == MPI_PROC_NULL) {
        envelope_of_nobody(status);
        return MPI_SUCCESS;
    }
    struct unexpected *message = look(from, tag, comm, false, wait);
    *flag = message != NULL;
    if (message) envelope_status(message, status);
    return MPI_SUCCESS;
}

int MPI_Probe(int from, int tag, MPI_Comm comm, MPI_Status *status)
{
    int flag;
    PASS(comm, probe(from, tag, comm, true, &flag, status));
    return MPI_SUCCESS;
}

int MPI_Iprobe(int from, int tag, MPI_Comm comm, int *flag, MPI_Status *status)
{
    REQUIRE(flag, comm, MPI_ERR_ARG);
    PASS(comm, probe(from, tag, comm, false, flag, status));
    return MPI_SUCCESS;
}

struct eco_message eco_message_no_proc;

static int take(int from, int tag, MPI_Comm comm, bool wait, int *flag, MPI_Message *result, MPI_Status *status)
{
    int code = check_comm(comm);
    if (!code) code = check_envelope(from, tag, comm);
    if (code) return code;
    *flag = 1;
    *result = MPI_MESSAGE_NO_PROC;
    if (from == MPI_PROC_NULL) {
        envelope_of_nobody(status);
        return MPI_SUCCESS;
    }
    struct unexpected *message = look(from, tag, comm, true, wait);
    *flag = message != NULL;
    *result = MPI_MESSAGE_NULL;
    if (!message) return MPI_SUCCESS;
    envelope_status(message, status);
    *result = eco_allocate(sizeof **result);
    **result = (struct eco_message){message, comm_hold(comm)};
    return MPI_SUCCESS;
}

int MPI_Mprobe(int from, int tag, MPI_Comm comm, MPI_Message *message, MPI_Status *status)
{
    int flag;
    REQUIRE(message, comm, MPI_ERR_ARG);
    PASS(comm, take(from, tag, comm, true, &flag, message, status));
    return MPI_SUCCESS;
}

int MPI_Improbe(int from, int tag, MPI_Comm comm, int *flag, MPI_Message *message, MPI_Status *status)
{
    REQUIRE(message && flag, comm, MPI_ERR_ARG);
    PASS(comm, take(from, tag, comm, false, flag, message, status));
    return MPI_SUCCESS;
}

int MPI_Imrecv(void *buffer, int count, MPI_Datatype type, MPI_Message *message, MPI_Request *request)
{
    REQUIRE(message && *message && request, NULL, MPI_ERR_REQUEST);
    struct eco_message *taken = *message;
    struct eco_comm *comm = taken == MPI_MESSAGE_NO_PROC ? MPI_COMM_SELF : taken->comm;
    PASS(comm, check_data(buffer, count, type));
    *message = MPI_MESSAGE_NULL;
    if (taken == MPI_MESSAGE_NO_PROC) {
        *request = receive_begin(buffer, count, type, MPI_PROC_NULL, MPI_ANY_TAG, comm);
        return MPI_SUCCESS;
    }
    *request = message_request(REQUEST_RECEIVE, buffer, count, type, MPI_ANY_SOURCE, MPI_ANY_TAG, comm);
    receive_message(*request, taken->unexpected);
    comm_release(comm);
    free(taken);
    return MPI_SUCCESS;
}

int MPI_Mrecv(void *buffer, int count, MPI_Datatype type, MPI_Message *message, MPI_Status *status)
{
    MPI_Request request;
    int code = MPI_Imrecv(buffer, count, type, message, &request);
    return code ? code : MPI_Wait(&request, status);
}
