/* How every collective becomes two functions: a builder writes a schedule, and both functions run it. */
#ifndef ECO_COLLECTIVE_H
#define ECO_COLLECTIVE_H

#include "internal.h"

#define COLLECTIVE_DIRECT 8 /* ranks that may all talk to all in one round */
#define COLLECTIVE_FEW 8 /* times what is large elsewhere is large for so few that they may all talk to all */
#define COLLECTIVE_BLOCK 4096 /* blocks up to this size are worth being passed on by others */

#define PARAMETERS(...) __VA_ARGS__

/* `arguments` is the call's argument list for build_`name`, whose first parameter is the schedule. */
#define COLLECTIVE_RUN(name, parameters, ...)                                                                          \
    static int run_##name(parameters, MPI_Request *request, const char *function)                                      \
    {                                                                                                                  \
        int code = check_comm(comm);                                                                                   \
        if (code) return comm_error(comm, code, function);                                                             \
        struct schedule *schedule = schedule_new(comm);                                                                \
        code = build_##name(schedule, __VA_ARGS__);                                                                    \
        if (code)                                                                                                      \
            schedule_free(schedule);                                                                                   \
        else                                                                                                           \
            code = schedule_run(schedule, request);                                                                    \
        return code ? comm_error(comm, code, function) : MPI_SUCCESS;                                                  \
    }
#define COLLECTIVE_STARTED(name, nonblocking, parameters, ...)                                                         \
    int MPI_##nonblocking(parameters, MPI_Request *request)                                                            \
    {                                                                                                                  \
        REQUIRE(request, comm, MPI_ERR_ARG);                                                                           \
        return run_##name(__VA_ARGS__, request, "MPI_" #nonblocking);                                                  \
    }
#define COLLECTIVE(name, nonblocking, parameters, ...)                                                                 \
    COLLECTIVE_RUN(name, PARAMETERS(parameters), __VA_ARGS__)                                                          \
    COLLECTIVE_STARTED(name, nonblocking, PARAMETERS(parameters), __VA_ARGS__)                                         \
    int MPI_##name(parameters) { return run_##name(__VA_ARGS__, NULL, "MPI_" #name); }

/* In an intercommunicator the root says MPI_ROOT, and the other ranks of its side MPI_PROC_NULL. */
static inline int check_root(const struct eco_comm *comm, int root)
{
    if (comm_is_inter(comm) && (root == MPI_ROOT || root == MPI_PROC_NULL)) return MPI_SUCCESS;
    return root >= 0 && root < comm_remote_size(comm) ? MPI_SUCCESS : MPI_ERR_ROOT;
}

static inline size_t data_bytes(int count, const struct eco_type *type) { return (size_t) count * type->size; }

#define CHECK(expression)                                                                                              \
    do {                                                                                                               \
        int code_ = (expression);                                                                                      \
        if (code_) return code_;                                                                                       \
    } while (0)

/* Parts of collectives that others are made of; `via`: the communicator whose ranks are meant. */
void add_bcast(struct schedule *schedule, struct eco_comm *via, void *buffer, int count, struct eco_type *type,
               int root);
void add_reduce(struct schedule *schedule, struct eco_comm *via, void *inout, int count, struct eco_type *type,
                struct eco_op *op, int root);


/* collective_tree.c: `blocks` of `each` bytes, this rank's own first; how many, tree_span says (all, without a root). */
int tree_span(const struct eco_comm *comm, int root);
void add_gather_tree(struct schedule *schedule, struct eco_comm *comm, char *blocks, int each, int root);
void add_scatter_tree(struct schedule *schedule, struct eco_comm *comm, char *blocks, int each, int root);
void add_allgather_rounds(struct schedule *schedule, struct eco_comm *comm, char *blocks, int each);

#endif
