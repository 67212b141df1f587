/* The tool interface: variables that do what they say, and errors that are only returned. */
#include "check.h"

static MPI_T_pvar_session session;

static int find_control(const char *name)
{
    int index = -1;
    CHECK(MPI_T_cvar_get_index(name, &index) == MPI_SUCCESS);
    return index;
}

static MPI_T_pvar_handle open_performance(const char *name, int class)
{
    int index = -1, count;
    MPI_T_pvar_handle handle;
    CHECK(MPI_T_pvar_get_index(name, class, &index) == MPI_SUCCESS);
    CHECK(MPI_T_pvar_handle_alloc(session, index, NULL, &handle, &count) == MPI_SUCCESS && count == 1);
    return handle;
}

static unsigned read_performance(MPI_T_pvar_handle handle)
{
    unsigned value = 12345;
    CHECK(MPI_T_pvar_read(session, handle, &value) == MPI_SUCCESS);
    return value;
}

/* With a limit of zero, no message goes before its receive is known: it waits as an announcement. */
static void controls(void)
{
    unsigned before, zero = 0, now, ranks;
    int count, value = 5, in;
    MPI_T_cvar_handle handle, constant;
    MPI_T_cvar_handle_alloc(find_control("eager_bytes"), NULL, &handle, &count);
    MPI_T_cvar_read(handle, &before);
    CHECK(before > 0);
    MPI_T_cvar_write(handle, &zero);
    MPI_T_cvar_read(handle, &now);
    CHECK(now == 0);
    MPI_Request request;
    MPI_Isend(&value, 1, MPI_INT, rank, 1, MPI_COMM_WORLD, &request);
    int done;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    CHECK(!done);
    MPI_Recv(&in, 1, MPI_INT, rank, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(in == 5);
    MPI_T_cvar_write(handle, &before);
    MPI_T_cvar_handle_free(&handle);
    MPI_T_cvar_handle_alloc(find_control("job_ranks"), NULL, &constant, &count);
    MPI_T_cvar_read(constant, &ranks);
    CHECK(ranks == (unsigned) size);
    CHECK(MPI_T_cvar_write(constant, &zero) == MPI_T_ERR_CVAR_SET_NEVER);
    MPI_T_cvar_handle_free(&constant);
}

static void performances(void)
{
    MPI_Request requests[3];
    int in[3], out = 1;
    MPI_T_pvar_session_create(&session);
    MPI_T_pvar_handle posted = open_performance("posted_receives", MPI_T_PVAR_CLASS_LEVEL);
    MPI_T_pvar_handle waiting = open_performance("unexpected_messages", MPI_T_PVAR_CLASS_LEVEL);
    MPI_T_pvar_handle sent = open_performance("messages_sent", MPI_T_PVAR_CLASS_COUNTER);
    unsigned idle = read_performance(posted);
    for (int i = 0; i < 3; i++) MPI_Irecv(&in[i], 1, MPI_INT, 0, 10 + i, MPI_COMM_SELF, &requests[i]);
    CHECK(read_performance(posted) == idle + 3);
    for (int i = 0; i < 3; i++) MPI_Cancel(&requests[i]);
    MPI_Waitall(3, requests, MPI_STATUSES_IGNORE);
    CHECK(read_performance(posted) == idle);
    CHECK(MPI_T_pvar_start(session, posted) == MPI_T_ERR_PVAR_NO_STARTSTOP);
    MPI_T_pvar_start(session, sent);
    for (int i = 0; i < 4; i++) MPI_Send(&out, 1, MPI_INT, 0, 20, MPI_COMM_SELF);
    MPI_T_pvar_stop(session, sent);
    CHECK(read_performance(sent) == 4);
    int flag;
    MPI_Iprobe(0, 20, MPI_COMM_SELF, &flag, MPI_STATUS_IGNORE);
    CHECK(read_performance(waiting) >= 4);
    for (int i = 0; i < 4; i++) MPI_Recv(in, 1, MPI_INT, 0, 20, MPI_COMM_SELF, MPI_STATUS_IGNORE);
    CHECK(read_performance(sent) == 4); /* it was stopped */
    MPI_T_pvar_reset(session, sent);
    CHECK(read_performance(sent) == 0);
    MPI_T_pvar_handle_free(session, &sent);
    MPI_T_pvar_session_free(&session);
}

static void names(void)
{
    int count, room, others;
    char name[8];
    MPI_T_category_get_num(&count);
    for (int i = 0; i < count; i++) {
        int controls, performances, index[8];
        room = sizeof name;
        MPI_T_category_get_info(i, name, &room, NULL, NULL, &controls, &performances, &others);
        CHECK(room > (int) sizeof name && strlen(name) == sizeof name - 1); /* cut, and how much is needed */
        MPI_T_category_get_cvars(i, 8, index);
        for (int j = 0; j < controls; j++) CHECK(index[j] >= 0);
        CHECK(others == 0);
    }
    CHECK(MPI_T_cvar_get_index("none of them", &count) == MPI_T_ERR_INVALID_NAME);
    CHECK(MPI_T_pvar_get_info(99, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ==
          MPI_T_ERR_INVALID_INDEX);
}

int main(int argc, char **argv)
{
    int provided;
    CHECK(MPI_T_category_get_num(&provided) == MPI_T_ERR_NOT_INITIALIZED);
    MPI_T_init_thread(MPI_THREAD_SINGLE, &provided); /* before MPI itself */
    begin(&argc, &argv);
    names();
    controls();
    performances();
    MPI_T_finalize();
    return end();
}
