/* Communicators: their life and the ways to derive one from another. No agreement on a number is needed: a child's
 * context follows from its parent's and from how many children the parent had before, which all members know. */
#include "internal.h"

struct eco_comm eco_comm_world, eco_comm_self;

/* ---- Contexts ---- */

/* splitmix64: spreads numbers so that two contexts collide with a probability of 2^-63 a pair. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The lowest bit tells collectives from messages. */
uint64_t context_of_child(struct eco_comm *parent) { return mix(parent->context ^ mix(++parent->children)) & ~1ull; }

/* A context that one process chooses for others: its rank and a count of its own. */
uint64_t context_unique(void)
{
    static uint32_t chosen;
    return mix(~mix((uint64_t) transport_rank << 32 | ++chosen)) & ~1ull;
}

/* ---- Life ---- */

static void comm_fill(struct eco_comm *comm, struct eco_group *local, struct eco_group *remote, uint64_t context)
{
    *comm = (struct eco_comm){.references = 1, .context = context, .local = local, .remote = remote ? remote : local};
    comm->rank = local->rank;
    comm->errhandler = MPI_ERRORS_ARE_FATAL;
}

/* Takes over the caller's hold on both groups; no remote group: an ordinary communicator. */
struct eco_comm *comm_new(struct eco_group *local, struct eco_group *remote, uint64_t context)
{
    struct eco_comm *comm = eco_allocate(sizeof *comm);
    comm_fill(comm, local, remote, context);
    return comm;
}

struct eco_comm *comm_hold(struct eco_comm *comm)
{
    comm->references++;
    return comm;
}

void comm_release(struct eco_comm *comm)
{
    if (--comm->references) return;
    if (comm_is_inter(comm)) group_release(comm->remote);
    group_release(comm->local);
    if (comm->within) comm_release(comm->within);
    topology_free(comm->topology);
    errhandler_release(comm->errhandler);
    info_release(comm->info);
    if (comm != MPI_COMM_WORLD && comm != MPI_COMM_SELF) free(comm);
}

void comm_inherit(struct eco_comm *comm, const struct eco_comm *parent)
{
    errhandler_release(comm->errhandler);
    comm->errhandler = parent->errhandler;
    errhandler_hold(comm->errhandler);
}

void comm_open(void)
{
    int *world = eco_allocate((size_t) transport_size * sizeof *world);
    for (int i = 0; i < transport_size; i++) world[i] = i;
    comm_fill(MPI_COMM_WORLD, group_new(transport_size, world), NULL, 2);
    comm_fill(MPI_COMM_SELF, group_new(1, &transport_rank), NULL, mix(4 + (uint64_t) transport_rank) & ~1ull);
    strcpy(MPI_COMM_WORLD->name, "MPI_COMM_WORLD");
    strcpy(MPI_COMM_SELF->name, "MPI_COMM_SELF");
    free(world);
}

int check_comm(struct eco_comm *comm)
{
    if (!initialized() || !comm || comm->references <= 0 || comm->freed) return MPI_ERR_COMM;
    safe_point();
    return MPI_SUCCESS;
}

int MPI_Comm_free(MPI_Comm *comm)
{
    REQUIRE(comm, NULL, MPI_ERR_ARG);
    PASS(NULL, check_comm(*comm));
    REQUIRE(*comm != MPI_COMM_WORLD && *comm != MPI_COMM_SELF, *comm, MPI_ERR_COMM);
    PASS(*comm, attributes_delete(*comm, &(*comm)->attributes));
    (*comm)->freed = true;
    comm_release(*comm);
    *comm = MPI_COMM_NULL;
    return MPI_SUCCESS;
}

/* No communicator here outlives its pending messages unnoticed: each of them holds it. */
int MPI_Comm_disconnect(MPI_Comm *comm) { return MPI_Comm_free(comm); }

/* Nobody spawns: no program has a parent. */
int MPI_Comm_get_parent(MPI_Comm *parent)
{
    REQUIRE(parent, NULL, MPI_ERR_ARG);
    *parent = MPI_COMM_NULL;
    return MPI_SUCCESS;
}

/* ---- Questions ---- */

#define CHECK_RESULT(comm, result)                                                                                     \
    PASS(comm, check_comm(comm));                                                                                      \
    REQUIRE(result, NULL, MPI_ERR_ARG) /* a wrong argument that has nothing to do with the communicator */

int MPI_Comm_size(MPI_Comm comm, int *size)
{
    CHECK_RESULT(comm, size);
    *size = comm_size(comm);
    return MPI_SUCCESS;
}

int MPI_Comm_rank(MPI_Comm comm, int *rank)
{
    CHECK_RESULT(comm, rank);
    *rank = comm->rank;
    return MPI_SUCCESS;
}

int MPI_Comm_test_inter(MPI_Comm comm, int *flag)
{
    CHECK_RESULT(comm, flag);
    *flag = comm_is_inter(comm);
    return MPI_SUCCESS;
}

int MPI_Comm_remote_size(MPI_Comm comm, int *size)
{
    CHECK_RESULT(comm, size);
    REQUIRE(comm_is_inter(comm), comm, MPI_ERR_COMM);
    *size = comm_remote_size(comm);
    return MPI_SUCCESS;
}

static MPI_Group group_again(struct eco_group *group)
{
    group->references++;
    return group;
}

int MPI_Comm_group(MPI_Comm comm, MPI_Group *group)
{
    CHECK_RESULT(comm, group);
    *group = group_again(comm->local);
    return MPI_SUCCESS;
}

int MPI_Comm_remote_group(MPI_Comm comm, MPI_Group *group)
{
    CHECK_RESULT(comm, group);
    REQUIRE(comm_is_inter(comm), comm, MPI_ERR_COMM);
    *group = group_again(comm->remote);
    return MPI_SUCCESS;
}

int MPI_Comm_compare(MPI_Comm a, MPI_Comm b, int *result)
{
    CHECK_RESULT(a, result);
    PASS(b, check_comm(b));
    *result = MPI_UNEQUAL;
    if (a == b) {
        *result = MPI_IDENT;
    } else if (comm_is_inter(a) == comm_is_inter(b)) {
        int local, remote;
        MPI_Group_compare(a->local, b->local, &local);
        MPI_Group_compare(a->remote, b->remote, &remote);
        *result = local > remote ? local : remote;
        if (*result == MPI_IDENT) *result = MPI_CONGRUENT;
    }
    return MPI_SUCCESS;
}

int MPI_Comm_set_name(MPI_Comm comm, const char *name)
{
    CHECK_RESULT(comm, name);
    strncpy(comm->name, name, MPI_MAX_OBJECT_NAME - 1);
    return MPI_SUCCESS;
}

int MPI_Comm_get_name(MPI_Comm comm, char *name, int *length)
{
    CHECK_RESULT(comm, name &&length);
    strcpy(name, comm->name);
    *length = (int) strlen(name);
    return MPI_SUCCESS;
}

int MPI_Comm_set_info(MPI_Comm comm, MPI_Info info)
{
    PASS(comm, check_comm(comm));
    struct eco_info *copy = info_copy(info);
    info_release(comm->info);
    comm->info = copy;
    return MPI_SUCCESS;
}

/* Promises of the program, which later versions of the standard name; other keys are ignored. */
int MPI_Comm_get_info(MPI_Comm comm, MPI_Info *info)
{
    static const char *const hints[] = {"mpi_assert_no_any_tag", "mpi_assert_no_any_source", "mpi_assert_exact_length",
                                        "mpi_assert_allow_overtaking"};
    CHECK_RESULT(comm, info);
    MPI_Info_create(info);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        const char *said = info_value(comm->info, hints[i]);
        if (said) MPI_Info_set(*info, hints[i], said);
    }
    return MPI_SUCCESS;
}

/* ---- Duplicates ---- */

static int duplicate(MPI_Comm comm, struct eco_info *info, MPI_Comm *result)
{
    struct eco_group *remote = comm_is_inter(comm) ? group_again(comm->remote) : NULL;
    struct eco_comm *copy = comm_new(group_again(comm->local), remote, context_of_child(comm));
    comm_inherit(copy, comm);
    copy->info = info_copy(info);
    copy->topology = topology_copy(comm->topology);
    if (comm->within) copy->within = comm_new(group_again(comm->local), NULL, context_of_child(comm->within));
    int code = attributes_copy(comm, comm->attributes, &copy->attributes);
    *result = copy;
    if (!code) return MPI_SUCCESS;
    comm_release(copy);
    *result = MPI_COMM_NULL;
    return code;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *result)
{
    CHECK_RESULT(comm, result);
    PASS(comm, duplicate(comm, comm->info, result));
    return MPI_SUCCESS;
}

int MPI_Comm_dup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *result)
{
    CHECK_RESULT(comm, result);
    PASS(comm, duplicate(comm, info, result));
    return MPI_SUCCESS;
}

/* Nothing has to be agreed upon, so the request is complete from the start. */
int MPI_Comm_idup(MPI_Comm comm, MPI_Comm *result, MPI_Request *request)
{
    CHECK_RESULT(comm, result &&request);
    PASS(comm, duplicate(comm, comm->info, result));
    *request = request_new(REQUEST_NOTHING);
    request_complete(*request);
    return MPI_SUCCESS;
}

/* ---- Subsets ---- */

static struct eco_comm *subset(struct eco_comm *parent, struct eco_group *local, struct eco_group *remote,
                               uint64_t context)
{
    struct eco_comm *comm = comm_new(local, remote, context);
    comm_inherit(comm, parent);
    if (remote) comm->within = comm_new(group_again(local), NULL, context_of_child(comm));
    return comm;
}

static int check_subset(const struct eco_group *group, const struct eco_group *of)
{
    if (!group) return MPI_ERR_GROUP;
    for (int i = 0; i < group->size; i++)
        if (group_position(of, group->world[i]) == MPI_UNDEFINED) return MPI_ERR_GROUP;
    return MPI_SUCCESS;
}

/* Both sides at once, on the context of collectives of `comm`, where `peer` is a rank of the other side. */
static void exchange(const void *mine, int bytes, void *theirs, int their_bytes, int peer, int tag, MPI_Comm comm)
{
    struct eco_request *receive = internal_receive_begin(theirs, their_bytes, MPI_BYTE, peer, tag, comm);
    send_internal(mine, bytes, MPI_BYTE, peer, tag, comm);
    request_finish(&receive, NULL);
}

/* Each side learns the other's list: the first ranks exchange them, then each tells its side. */
static struct eco_group *exchange_groups(struct eco_comm *comm, const struct eco_group *mine)
{
    int size = 0, tag = collective_tag(comm);
    if (comm->rank == 0) exchange(&mine->size, sizeof size, &size, sizeof size, 0, tag, comm);
    MPI_Bcast(&size, 1, MPI_INT, 0, comm->within);
    int *world = eco_allocate((size_t) size * sizeof *world);
    if (comm->rank == 0)
        exchange(mine->world, mine->size * (int) sizeof *world, world, size * (int) sizeof *world, 0, tag, comm);
    MPI_Bcast(world, size, MPI_INT, 0, comm->within);
    struct eco_group *theirs = group_new(size, world);
    free(world);
    return theirs;
}

int MPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *result)
{
    CHECK_RESULT(comm, result);
    PASS(comm, check_subset(group, comm->local));
    uint64_t context = context_of_child(comm);
    *result = MPI_COMM_NULL;
    struct eco_group *remote = comm_is_inter(comm) ? exchange_groups(comm, group) : NULL;
    bool empty = group->rank == MPI_UNDEFINED || (remote && remote->size == 0);
    if (!empty)
        *result = subset(comm, group_again(group), remote, context);
    else if (remote)
        group_release(remote);
    return MPI_SUCCESS;
}

/* Only the members take part: the first of them chooses the context and passes it on, along a binomial tree. */
int MPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag, MPI_Comm *result)
{
    CHECK_RESULT(comm, result);
    REQUIRE(!comm_is_inter(comm), comm, MPI_ERR_COMM);
    REQUIRE(tag >= 0, comm, MPI_ERR_TAG);
    PASS(comm, check_subset(group, comm->local));
    *result = MPI_COMM_NULL;
    if (group->rank == MPI_UNDEFINED) return MPI_SUCCESS;
    uint64_t context = context_unique();
    int mask = 1, rank = group->rank, own_tag = -2 - tag; /* no collective has a negative tag */
    for (; mask < group->size; mask <<= 1) {
        if (!(rank & mask)) continue;
        int from = group_position(comm->local, group->world[rank - mask]);
        receive_internal(&context, sizeof context, MPI_BYTE, from, own_tag, comm);
        break;
    }
    for (mask >>= 1; mask; mask >>= 1) {
        if (rank + mask >= group->size) continue;
        int to = group_position(comm->local, group->world[rank + mask]);
        send_internal(&context, sizeof context, MPI_BYTE, to, own_tag, comm);
    }
    *result = subset(comm, group_again(group), NULL, context);
    return MPI_SUCCESS;
}

/* ---- Splitting ---- */

struct choice {
    int color, key, rank;
};

static int by_key(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->rank < y->rank ? -1 : 1;
}

/* The processes of `group` that chose `color`, ordered by key and then by rank. */
static struct eco_group *chosen(struct choice *choices, const struct eco_group *group, int color)
{
    int used = 0;
    int *world = eco_allocate((size_t) group->size * sizeof *world);
    qsort(choices, (size_t) group->size, sizeof *choices, by_key);
    for (int i = 0; i < group->size; i++)
        if (choices[i].color == color) world[used++] = group->world[choices[i].rank];
    struct eco_group *result = group_new(used, world);
    free(world);
    return result;
}

static struct eco_group *gather_choices(struct eco_comm *on, const struct eco_group *group, int color, int key)
{
    struct choice mine = {color, key, on->rank};
    struct choice *all = eco_allocate((size_t) group->size * sizeof *all);
    MPI_Allgather(&mine, 3, MPI_INT, all, 3, MPI_INT, on);
    struct eco_group *result = chosen(all, group, color);
    free(all);
    return result;
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *result)
{
    CHECK_RESULT(comm, result);
    REQUIRE(color >= 0 || color == MPI_UNDEFINED, comm, MPI_ERR_ARG);
    bool inter = comm_is_inter(comm);
    struct eco_group *local = gather_choices(inter ? comm->within : comm, comm->local, color, key);
    struct eco_group *remote = inter ? gather_choices(comm, comm->remote, color, key) : NULL;
    uint64_t context = context_of_child(comm);
    *result = MPI_COMM_NULL;
    if (color != MPI_UNDEFINED && (!remote || remote->size)) {
        *result = subset(comm, local, remote, context);
        return MPI_SUCCESS;
    }
    group_release(local);
    if (remote) group_release(remote);
    return MPI_SUCCESS;
}

/* The ranks of a node, by the first of them. A rank may move later: what is said here is how it is now. */
static int node_color(void)
{
    int first = 0;
    while (!transport_is_near(first)) first++;
    return first;
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *result)
{
    (void) info;
    PASS(comm, check_comm(comm));
    REQUIRE(type == MPI_COMM_TYPE_SHARED || type == MPI_UNDEFINED, comm, MPI_ERR_ARG);
    return MPI_Comm_split(comm, type == MPI_UNDEFINED ? MPI_UNDEFINED : node_color(), key, result);
}

/* ---- Between groups ---- */

/* What the leaders tell each other: a proposal for the context, and their group. */
struct greeting {
    uint64_t context;
    int size, leader;
};

/* Leaders exchange greetings and lists, then tell their side; returns the other side's members. */
static int *meet(struct greeting *greeting, const struct eco_group *mine, MPI_Comm local, int leader, MPI_Comm peer,
                 int remote_leader, int tag)
{
    struct greeting own = *greeting;
    if (local->rank == leader)
        exchange(&own, sizeof own, greeting, sizeof *greeting, remote_leader, tag, peer);
    MPI_Bcast(greeting, sizeof *greeting, MPI_BYTE, leader, local);
    int *world = eco_allocate((size_t) greeting->size * sizeof *world);
    if (local->rank == leader)
        exchange(mine->world, mine->size * (int) sizeof *world, world, greeting->size * (int) sizeof *world,
                 remote_leader, tag, peer);
    MPI_Bcast(world, greeting->size, MPI_INT, leader, local);
    /* Of the two proposals, that of the leader with the lower rank in the world. */
    MPI_Bcast(&own, sizeof own, MPI_BYTE, leader, local);
    if (own.leader < greeting->leader) greeting->context = own.context;
    return world;
}

int MPI_Intercomm_create(MPI_Comm local, int leader, MPI_Comm peer, int remote_leader, int tag, MPI_Comm *result)
{
    CHECK_RESULT(local, result);
    REQUIRE(!comm_is_inter(local), local, MPI_ERR_COMM);
    REQUIRE(leader >= 0 && leader < comm_size(local), local, MPI_ERR_RANK);
    if (local->rank == leader) {
        PASS(local, check_comm(peer));
        REQUIRE(remote_leader >= 0 && remote_leader < comm_remote_size(peer), local, MPI_ERR_RANK);
    }
    struct greeting greeting = {context_unique(), comm_size(local), transport_rank};
    int *world = meet(&greeting, local->local, local, leader, peer, remote_leader, -2 - tag);
    struct eco_group *remote = group_new(greeting.size, world);
    free(world);
    *result = comm_new(group_again(local->local), remote, greeting.context);
    comm_inherit(*result, local);
    (*result)->within = comm_new(group_again(local->local), NULL, context_of_child(local));
    return MPI_SUCCESS;
}

/* Who comes first: the side that said `high` comes last; if both said the same, the one with the lower first rank. */
static bool local_first(struct eco_comm *comm, int high)
{
    int theirs = 0, tag = collective_tag(comm);
    if (comm->rank == 0) exchange(&high, sizeof high, &theirs, sizeof theirs, 0, tag, comm);
    MPI_Bcast(&theirs, 1, MPI_INT, 0, comm->within);
    if (!high != !theirs) return !high;
    return comm->local->world[0] < comm->remote->world[0];
}

int MPI_Intercomm_merge(MPI_Comm comm, int high, MPI_Comm *result)
{
    CHECK_RESULT(comm, result);
    REQUIRE(comm_is_inter(comm), comm, MPI_ERR_COMM);
    bool first = local_first(comm, high);
    struct eco_group *head = first ? comm->local : comm->remote, *tail = first ? comm->remote : comm->local;
    int size = head->size + tail->size;
    int *world = eco_allocate((size_t) size * sizeof *world);
    memcpy(world, head->world, (size_t) head->size * sizeof *world);
    memcpy(world + head->size, tail->world, (size_t) tail->size * sizeof *world);
    *result = comm_new(group_new(size, world), NULL, context_of_child(comm));
    comm_inherit(*result, comm);
    free(world);
    return MPI_SUCCESS;
}
