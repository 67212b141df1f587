/* Requests: their life, and the many ways to wait for them. */
#include "window.h"

#include <stdio.h>

struct generalized {
    MPI_Grequest_query_function *query;
    MPI_Grequest_free_function *release;
    MPI_Grequest_cancel_function *cancel;
    void *extra;
};

static struct eco_request *spare;

struct eco_request *request_new(enum request_kind kind)
{
    struct eco_request *request = spare;
    if (request)
        spare = request->next;
    else
        request = eco_allocate(sizeof *request);
    *request = (struct eco_request){.kind = kind, .active = true};
    status_set_empty(&request->status);
    return request;
}

static void part_twins(struct eco_request *request)
{
    request->twin->twin = NULL;
    request->twin = NULL;
}

static void request_free(struct eco_request *request)
{
    if (request->twin) part_twins(request);
    if (request->type) type_release(request->type);
    if (request->comm) comm_release(request->comm);
    if (request->schedule) schedule_free(request->schedule);
    free(request->generalized);
    free(request->packed);
    request->kind = 0;
    request->next = spare;
    spare = request;
}

/* Frees it now, or when it is complete. */
void request_release(struct eco_request *request)
{
    if (request->complete || !request->active)
        request_free(request);
    else
        request->detached = true;
}

void request_complete(struct eco_request *request)
{
    request->complete = true;
    if (request->buffered) buffered_release(request->buffered);
    request->buffered = NULL;
    if (request->twin && request->mode != SEND_BUFFERED) part_twins(request);
    struct schedule *owner = request->owner;
    int error = request->error;
    if (request->window) window_access_done(request);
    if (request->detached) request_free(request);
    if (owner) schedule_part_done(owner, error);
}

void status_set_empty(MPI_Status *status)
{
    status->MPI_SOURCE = MPI_ANY_SOURCE;
    status->MPI_TAG = MPI_ANY_TAG;
    status->MPI_ERROR = MPI_SUCCESS;
    status->eco_cancelled = 0;
    status->eco_bytes = 0;
}

/* To a caller: the error field stays as it was. */
void status_give_empty(MPI_Status *status)
{
    int keep = status->MPI_ERROR;
    status_set_empty(status);
    status->MPI_ERROR = keep;
}

static bool is_inactive(MPI_Request request) { return !request || !request->active; }

/* MPI_ERROR is only written by the calls that complete several requests: they do it themselves. */
static void status_fill(MPI_Status *status, const MPI_Status *from, bool cancelled)
{
    if (!status) return;
    status->MPI_SOURCE = from->MPI_SOURCE;
    status->MPI_TAG = from->MPI_TAG;
    status->eco_bytes = from->eco_bytes;
    status->eco_cancelled = cancelled;
}

static int status_query(struct eco_request *request, MPI_Status *status)
{
    if (request->kind == REQUEST_GENERALIZED) {
        MPI_Status own;
        status_set_empty(&own);
        int error = request->generalized->query(request->generalized->extra, &own);
        if (status) {
            int keep = status->MPI_ERROR;
            *status = own;
            status->MPI_ERROR = keep;
        }
        return error;
    }
    status_fill(status, &request->status, request->cancelled);
    return request->error;
}

/* A completed request: status, error, and then it is inactive (persistent) or gone. */
static int request_retire(MPI_Request *handle, MPI_Status *status)
{
    struct eco_request *request = *handle;
    int error = status_query(request, status);
    if (request->persistent) {
        request->active = false;
        return error;
    }
    if (request->kind == REQUEST_GENERALIZED) {
        int freed = request->generalized->release(request->generalized->extra);
        if (!error) error = freed;
    }
    request_free(request);
    *handle = MPI_REQUEST_NULL;
    return error;
}

int request_finish(MPI_Request *handle, MPI_Status *status)
{
    if (is_inactive(*handle)) {
        if (status) status_give_empty(status);
        return MPI_SUCCESS;
    }
    wait_until(&(*handle)->complete);
    return request_retire(handle, status);
}

static struct eco_comm *comm_of(MPI_Request request) { return request ? request->comm : NULL; }

/* Errors of a request belong to its communicator, which may be gone when the request is. */
#define RETIRE(handle, status)                                                                                         \
    do {                                                                                                               \
        struct eco_comm *comm_ = comm_of(*(handle));                                                                   \
        if (comm_) comm_hold(comm_);                                                                                   \
        int error_ = request_finish(handle, status);                                                                   \
        if (error_) comm_error(comm_, error_, __func__);                                                               \
        if (comm_) comm_release(comm_);                                                                                \
        return error_;                                                                                                 \
    } while (0)

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    REQUIRE(request, NULL, MPI_ERR_REQUEST);
    RETIRE(request, status);
}

static bool is_done(MPI_Request request) { return is_inactive(request) || request->complete; }

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    REQUIRE(request && flag, NULL, MPI_ERR_ARG);
    if (!is_done(*request)) progress();
    *flag = is_done(*request);
    if (!*flag) return MPI_SUCCESS;
    RETIRE(request, status);
}

int MPI_Request_get_status(MPI_Request request, int *flag, MPI_Status *status)
{
    REQUIRE(flag, NULL, MPI_ERR_ARG);
    if (!is_done(request)) progress();
    *flag = is_done(request);
    if (!*flag) return MPI_SUCCESS;
    if (is_inactive(request)) {
        if (status) status_give_empty(status);
        return MPI_SUCCESS;
    }
    status_query(request, status);
    return MPI_SUCCESS;
}

static int check_array(int count, MPI_Request *requests)
{
    if (count < 0) return MPI_ERR_COUNT;
    return count && !requests ? MPI_ERR_REQUEST : MPI_SUCCESS;
}

/* ---- All of them ---- */

static MPI_Status *status_at(MPI_Status *statuses, int index) { return statuses ? statuses + index : NULL; }

static int finish_all(int count, MPI_Request *requests, MPI_Status *statuses)
{
    int result = MPI_SUCCESS;
    struct eco_comm *failed = NULL;
    for (int i = 0; i < count; i++) {
        struct eco_comm *comm = comm_of(requests[i]);
        MPI_Status *status = status_at(statuses, i);
        if (comm) comm_hold(comm);
        int error = request_finish(&requests[i], status);
        if (status) status->MPI_ERROR = error;
        if (error && !failed) failed = comm ? comm_hold(comm) : NULL;
        if (error) result = MPI_ERR_IN_STATUS;
        if (comm) comm_release(comm);
    }
    if (result) comm_error(failed, result, "MPI_Waitall");
    if (failed) comm_release(failed);
    return result;
}

int MPI_Waitall(int count, MPI_Request *requests, MPI_Status *statuses)
{
    PASS(NULL, check_array(count, requests));
    return finish_all(count, requests, statuses);
}

static bool all_done(int count, MPI_Request *requests)
{
    for (int i = 0; i < count; i++)
        if (!is_done(requests[i])) return false;
    return true;
}

int MPI_Testall(int count, MPI_Request *requests, int *flag, MPI_Status *statuses)
{
    PASS(NULL, check_array(count, requests));
    REQUIRE(flag, NULL, MPI_ERR_ARG);
    if (!all_done(count, requests)) progress();
    *flag = all_done(count, requests);
    return *flag ? finish_all(count, requests, statuses) : MPI_SUCCESS;
}

/* ---- One of them ---- */

/* Index of a completed active request; MPI_UNDEFINED if none is active; -1 if none is complete yet. */
static int find_complete(int count, MPI_Request *requests)
{
    bool active = false;
    for (int i = 0; i < count; i++) {
        if (is_inactive(requests[i])) continue;
        if (requests[i]->complete) return i;
        active = true;
    }
    return active ? -1 : MPI_UNDEFINED;
}

static int wait_complete(int count, MPI_Request *requests)
{
    int found;
    WAIT_WHILE((found = find_complete(count, requests)) == -1);
    return found;
}

static int retire_one(MPI_Request *requests, int index, MPI_Status *status)
{
    if (index == MPI_UNDEFINED) {
        if (status) status_give_empty(status);
        return MPI_SUCCESS;
    }
    RETIRE(&requests[index], status);
}

int MPI_Waitany(int count, MPI_Request *requests, int *index, MPI_Status *status)
{
    PASS(NULL, check_array(count, requests));
    REQUIRE(index, NULL, MPI_ERR_ARG);
    *index = wait_complete(count, requests);
    return retire_one(requests, *index, status);
}

int MPI_Testany(int count, MPI_Request *requests, int *index, int *flag, MPI_Status *status)
{
    PASS(NULL, check_array(count, requests));
    REQUIRE(index && flag, NULL, MPI_ERR_ARG);
    int found = find_complete(count, requests);
    if (found == -1 && progress()) found = find_complete(count, requests);
    *flag = found != -1;
    *index = *flag ? found : MPI_UNDEFINED;
    return *flag ? retire_one(requests, found, status) : MPI_SUCCESS;
}

/* ---- Some of them ---- */

static int retire_some(int count, MPI_Request *requests, int *done, int *indices, MPI_Status *statuses)
{
    int result = MPI_SUCCESS;
    *done = 0;
    for (int i = 0; i < count; i++) {
        if (is_inactive(requests[i]) || !requests[i]->complete) continue;
        MPI_Status *status = status_at(statuses, *done);
        int error = request_retire(&requests[i], status);
        if (status) status->MPI_ERROR = error;
        if (error) result = MPI_ERR_IN_STATUS;
        indices[(*done)++] = i;
    }
    return result ? comm_error(NULL, result, "MPI_Waitsome") : result;
}

int MPI_Waitsome(int count, MPI_Request *requests, int *done, int *indices, MPI_Status *statuses)
{
    PASS(NULL, check_array(count, requests));
    REQUIRE(done && (indices || !count), NULL, MPI_ERR_ARG);
    if (wait_complete(count, requests) == MPI_UNDEFINED) {
        *done = MPI_UNDEFINED;
        return MPI_SUCCESS;
    }
    return retire_some(count, requests, done, indices, statuses);
}

int MPI_Testsome(int count, MPI_Request *requests, int *done, int *indices, MPI_Status *statuses)
{
    PASS(NULL, check_array(count, requests));
    REQUIRE(done && (indices || !count), NULL, MPI_ERR_ARG);
    progress();
    if (find_complete(count, requests) == MPI_UNDEFINED) {
        *done = MPI_UNDEFINED;
        return MPI_SUCCESS;
    }
    return retire_some(count, requests, done, indices, statuses);
}

/* ---- Persistent requests, freeing, cancelling ---- */

static int start(struct eco_request *request)
{
    if (!request || !request->persistent) return MPI_ERR_REQUEST;
    if (request->active) return MPI_ERR_REQUEST;
    request->active = true;
    request->complete = request->cancelled = request->pushed = request->matched = false;
    request->error = MPI_SUCCESS;
    status_set_empty(&request->status);
    if (request->kind == REQUEST_RECEIVE) {
        receive_start(request);
        return MPI_SUCCESS;
    }
    if (request->mode == SEND_BUFFERED && request->peer != MPI_PROC_NULL) return buffered_attach(request);
    send_start(request);
    return MPI_SUCCESS;
}

int MPI_Start(MPI_Request *request)
{
    REQUIRE(request, NULL, MPI_ERR_REQUEST);
    PASS(comm_of(*request), start(*request));
    return MPI_SUCCESS;
}

int MPI_Startall(int count, MPI_Request *requests)
{
    PASS(NULL, check_array(count, requests));
    for (int i = 0; i < count; i++) PASS(comm_of(requests[i]), start(requests[i]));
    return MPI_SUCCESS;
}

int MPI_Request_free(MPI_Request *request)
{
    REQUIRE(request && *request, NULL, MPI_ERR_REQUEST);
    if ((*request)->kind == REQUEST_GENERALIZED && (*request)->complete) return request_retire(request, NULL);
    request_release(*request);
    *request = MPI_REQUEST_NULL;
    return MPI_SUCCESS;
}

/* A send is withdrawn by asking its receiver, who alone knows whether it has been matched. */
static void cancel_send(struct eco_request *request)
{
    if (request->matched || (request->twin && request->twin->matched)) return;
    struct packet header = {
        .kind = PACKET_WITHDRAW,
        .sender = (uint32_t) (uintptr_t) request,
        .receiver = request->serial,
    };
    request->withdrawing = true;
    if (request->complete) request->pushed = true; /* should it be too late, it is complete as it was */
    request->complete = false;
    transport_send(request->comm->remote->world[request->peer], &header, NULL, NULL, NULL);
}

int MPI_Cancel(MPI_Request *handle)
{
    REQUIRE(handle && *handle, NULL, MPI_ERR_REQUEST);
    struct eco_request *request = *handle;
    if (is_inactive(request) || request->cancelled) return MPI_SUCCESS;
    if (request->kind == REQUEST_GENERALIZED)
        return request->generalized->cancel(request->generalized->extra, request->complete);
    REQUIRE(request->kind == REQUEST_SEND || request->kind == REQUEST_RECEIVE, request->comm, MPI_ERR_REQUEST);
    if (request->peer == MPI_PROC_NULL) return MPI_SUCCESS;
    if (request->kind == REQUEST_SEND) {
        cancel_send(request);
    } else if (!request->complete && receive_cancel(request)) {
        request->cancelled = true;
        request_complete(request);
    }
    return MPI_SUCCESS;
}

/* ---- Generalized requests ---- */

int MPI_Grequest_start(MPI_Grequest_query_function *query, MPI_Grequest_free_function *release,
                       MPI_Grequest_cancel_function *cancel, void *extra, MPI_Request *request)
{
    REQUIRE(request && query && release && cancel, NULL, MPI_ERR_ARG);
    *request = request_new(REQUEST_GENERALIZED);
    (*request)->generalized = eco_allocate(sizeof(struct generalized));
    *(*request)->generalized = (struct generalized){query, release, cancel, extra};
    return MPI_SUCCESS;
}

int MPI_Grequest_complete(MPI_Request request)
{
    REQUIRE(request && request->kind == REQUEST_GENERALIZED, NULL, MPI_ERR_REQUEST);
    if (request->detached) {
        request->generalized->release(request->generalized->extra);
    }
    request_complete(request);
    return MPI_SUCCESS;
}
