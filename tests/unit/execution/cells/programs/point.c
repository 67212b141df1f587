/* Point to point: every mode and size, order, wildcards, probes, buffers, cancelling. */
#include "check.h"

static const int lengths[] = {0, 1, 8, 1000, 16384, 16385, 70000, 300000, 1500000};
#define LENGTHS ((int) (sizeof lengths / sizeof *lengths))

static void fill(unsigned char *data, int length, int seed)
{
    for (int i = 0; i < length; i++) data[i] = (unsigned char) (i * 7 + seed * 13 + (i >> 8));
}

static int differs(const unsigned char *data, int length, int seed)
{
    for (int i = 0; i < length; i++)
        if (data[i] != (unsigned char) (i * 7 + seed * 13 + (i >> 8))) return 1;
    return 0;
}

static void send_in_mode(int mode, const void *data, int length, int to, int tag)
{
    if (mode == 0) MPI_Send(data, length, MPI_BYTE, to, tag, MPI_COMM_WORLD);
    if (mode == 1) MPI_Ssend(data, length, MPI_BYTE, to, tag, MPI_COMM_WORLD);
    if (mode == 2) MPI_Bsend(data, length, MPI_BYTE, to, tag, MPI_COMM_WORLD);
    if (mode == 3) MPI_Rsend(data, length, MPI_BYTE, to, tag, MPI_COMM_WORLD);
}

/* In a ring, even ranks send first; ready sends are preceded by a receive that is known to be posted. */
static void modes(void)
{
    int next = (rank + 1) % size, previous = (rank + size - 1) % size, most = lengths[LENGTHS - 1];
    unsigned char *out = malloc(most), *in = malloc(most), *buffer = malloc(most + MPI_BSEND_OVERHEAD);
    MPI_Buffer_attach(buffer, most + MPI_BSEND_OVERHEAD);
    for (int mode = 0; mode < 4; mode++)
        for (int i = 0; i < LENGTHS; i++) {
            MPI_Request request;
            MPI_Status status;
            int count;
            memset(in, 255, most);
            fill(out, lengths[i], rank + i);
            MPI_Irecv(in, lengths[i], MPI_BYTE, previous, i, MPI_COMM_WORLD, &request);
            MPI_Barrier(MPI_COMM_WORLD);
            send_in_mode(mode, out, lengths[i], next, i);
            MPI_Wait(&request, &status);
            MPI_Get_count(&status, MPI_BYTE, &count);
            CHECK(status.MPI_SOURCE == previous && status.MPI_TAG == i && count == lengths[i]);
            CHECK(!differs(in, lengths[i], previous + i));
        }
    void *detached;
    int detached_size;
    MPI_Buffer_detach(&detached, &detached_size);
    CHECK(detached == buffer && detached_size == most + MPI_BSEND_OVERHEAD);
    free(out);
    free(in);
    free(buffer);
}

/* All ranks send large messages to all at once, before any receives: non-blocking, so it must not deadlock. */
static void flood(void)
{
    int length = 400000;
    unsigned char *out = malloc((size_t) length), *in = malloc((size_t) length * size);
    MPI_Request *requests = malloc(2 * size * sizeof *requests);
    fill(out, length, rank);
    for (int i = 0; i < size; i++) MPI_Isend(out, length, MPI_BYTE, i, 3, MPI_COMM_WORLD, &requests[i]);
    for (int i = size - 1; i >= 0; i--)
        MPI_Irecv(in + (size_t) i * length, length, MPI_BYTE, i, 3, MPI_COMM_WORLD, &requests[size + i]);
    MPI_Waitall(2 * size, requests, MPI_STATUSES_IGNORE);
    for (int i = 0; i < size; i++) CHECK(!differs(in + (size_t) i * length, length, i));
    free(out);
    free(in);
    free(requests);
}

/* Many small messages that nobody has asked for yet: more than may be sent eagerly. */
static void unexpected(void)
{
    enum { COUNT = 3000, LENGTH = 800 };
    static unsigned char out[LENGTH], in[LENGTH];
    MPI_Request *requests = malloc(COUNT * sizeof *requests);
    int next = (rank + 1) % size, previous = (rank + size - 1) % size;
    for (int i = 0; i < COUNT; i++) {
        fill(out, LENGTH, 5);
        MPI_Isend(out, LENGTH, MPI_BYTE, next, i % 2, MPI_COMM_WORLD, &requests[i]);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < COUNT; i++) {
        MPI_Recv(in, LENGTH, MPI_BYTE, previous, (i + 1) % 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(!differs(in, LENGTH, 5));
    }
    MPI_Waitall(COUNT, requests, MPI_STATUSES_IGNORE);
    free(requests);
}

/* Messages of one pair do not overtake each other, whatever their size; wildcards see them in order. */
static void order(void)
{
    enum { COUNT = 60 };
    static int out[COUNT][10000], in[10000];
    MPI_Request requests[COUNT];
    if (rank != 0) {
        for (int i = 0; i < COUNT; i++) {
            out[i][0] = i;
            MPI_Isend(out[i], i % 3 == 0 ? 10000 : 1 + i % 3, MPI_INT, 0, i, MPI_COMM_WORLD, &requests[i]);
        }
        MPI_Waitall(COUNT, requests, MPI_STATUSES_IGNORE);
        return;
    }
    int *expected = calloc(size, sizeof *expected);
    for (int i = 0; i < COUNT * (size - 1); i++) {
        MPI_Status status;
        MPI_Recv(in, 10000, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        CHECK(in[0] == expected[status.MPI_SOURCE] && status.MPI_TAG == in[0]);
        expected[status.MPI_SOURCE]++;
    }
    free(expected);
}

static void probes(void)
{
    int next = (rank + 1) % size, previous = (rank + size - 1) % size, count, flag;
    double out[3] = {rank, 2, 3}, in[3];
    MPI_Request request;
    MPI_Status status;
    MPI_Message message;
    MPI_Isend(out, 3, MPI_DOUBLE, next, 77, MPI_COMM_WORLD, &request);
    MPI_Probe(previous, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_DOUBLE, &count);
    CHECK(count == 3 && status.MPI_TAG == 77);
    MPI_Mprobe(previous, 77, MPI_COMM_WORLD, &message, &status);
    MPI_Iprobe(previous, 77, MPI_COMM_WORLD, &flag, &status);
    CHECK(!flag);
    MPI_Mrecv(in, 3, MPI_DOUBLE, &message, &status);
    CHECK(message == MPI_MESSAGE_NULL && in[0] == previous);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static void cancelling(void)
{
    int value = 0, flag;
    MPI_Request request;
    MPI_Status status;
    MPI_Irecv(&value, 1, MPI_INT, rank, 99, MPI_COMM_WORLD, &request);
    MPI_Cancel(&request);
    MPI_Wait(&request, &status);
    MPI_Test_cancelled(&status, &flag);
    CHECK(flag && request == MPI_REQUEST_NULL);
    MPI_Issend(&value, 1, MPI_INT, (rank + 1) % size, 98, MPI_COMM_WORLD, &request);
    MPI_Cancel(&request);
    MPI_Wait(&request, &status);
    MPI_Test_cancelled(&status, &flag);
    CHECK(flag);
}

static void persistent(void)
{
    int next = (rank + 1) % size, previous = (rank + size - 1) % size, out = 0, in;
    MPI_Request requests[2];
    MPI_Send_init(&out, 1, MPI_INT, next, 1, MPI_COMM_WORLD, &requests[0]);
    MPI_Recv_init(&in, 1, MPI_INT, previous, 1, MPI_COMM_WORLD, &requests[1]);
    for (int i = 0; i < 20; i++) {
        out = rank * 100 + i;
        MPI_Startall(2, requests);
        MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        CHECK(in == previous * 100 + i);
    }
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
}

/* Begun again while its copy of the time before is under way; then that one is received, and the new one withdrawn: the
 * attached buffer is free again. */
static void buffered_again(void)
{
    enum { MANY = 100000 };
    static char out[MANY], in[MANY], room[2 * MANY + 1000];
    MPI_Request request;
    MPI_Status status;
    void *back;
    int bytes, flag;
    MPI_Buffer_attach(room, sizeof room);
    MPI_Bsend_init(out, MANY, MPI_BYTE, rank, 41, MPI_COMM_WORLD, &request);
    MPI_Start(&request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Start(&request);
    MPI_Recv(in, MANY, MPI_BYTE, rank, 41, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Cancel(&request);
    MPI_Wait(&request, &status);
    MPI_Test_cancelled(&status, &flag);
    CHECK(flag);
    MPI_Request_free(&request);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (int i = 0; i < 2; i++) CHECK(MPI_Bsend(out, MANY, MPI_BYTE, rank, 42, MPI_COMM_WORLD) == MPI_SUCCESS);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    for (int i = 0; i < 2; i++) MPI_Recv(in, MANY, MPI_BYTE, rank, 42, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Buffer_detach(&back, &bytes);
    CHECK(back == room && bytes == sizeof room);
}

static void truncation(void)
{
    int out[4] = {1, 2, 3, 4}, in[2], code, class;
    MPI_Request request;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Isend(out, 4, MPI_INT, rank, 5, MPI_COMM_WORLD, &request);
    code = MPI_Recv(in, 2, MPI_INT, rank, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Error_class(code, &class);
    CHECK(class == MPI_ERR_TRUNCATE && in[1] == 2);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(MPI_Send(out, -1, MPI_INT, rank, 5, MPI_COMM_WORLD) == MPI_ERR_COUNT);
    CHECK(MPI_Send(out, 1, MPI_INT, size, 5, MPI_COMM_WORLD) == MPI_ERR_RANK);
    CHECK(MPI_Send(out, 1, MPI_DATATYPE_NULL, rank, 5, MPI_COMM_WORLD) == MPI_ERR_TYPE);
    CHECK(MPI_Send(out, 1, MPI_INT, rank, -5, MPI_COMM_WORLD) == MPI_ERR_TAG);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    modes();
    flood();
    unexpected();
    order();
    MPI_Barrier(MPI_COMM_WORLD);
    probes();
    cancelling();
    persistent();
    buffered_again();
    truncation();
    return end();
}
