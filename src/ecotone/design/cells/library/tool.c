/* The tool information interface (MPI_T): what this library lets one turn, and what it can tell of itself. */
#include "internal.h"

/* ---- What there is ---- */

struct control {
    const char *name, *text;
    unsigned *value; /* NULL: `read` gives it, and nobody sets it */
    unsigned (*read)(void);
};

static unsigned job_ranks(void) { return (unsigned) transport_size; }

static const struct control controls[] = {
    {"eager_bytes", "Messages up to this size are sent before their receive is known, if there is room",
     &transport_eager_bytes, NULL},
    {"collective_large_bytes", "From this size on collectives choose algorithms for bandwidth; alike on all ranks",
     &collective_large_bytes, NULL},
    {"job_ranks", "Ranks of the job", NULL, job_ranks},
};
#define CONTROLS ((int) (sizeof controls / sizeof *controls))

struct performance {
    const char *name, *text;
    int class;
    bool continuous;
    unsigned (*read)(void);
};

static const struct performance performances[] = {
    {"posted_receives", "Receives that wait for a message", MPI_T_PVAR_CLASS_LEVEL, true, matching_posted},
    {"unexpected_messages", "Messages that wait for a receive", MPI_T_PVAR_CLASS_LEVEL, true, matching_unexpected},
    {"messages_sent", "Messages sent, those of collectives included", MPI_T_PVAR_CLASS_COUNTER, false, matching_sent},
};
#define PERFORMANCES ((int) (sizeof performances / sizeof *performances))

/* One category each: how messages go, and how collectives do. */
struct category {
    const char *name, *text;
    int control_count, performance_count;
    int controls[2], performances[3];
};
static const struct category categories[] = {
    {"messages", "Protocols and queues of messages", 2, 3, {0, 2}, {0, 1, 2}},
    {"collectives", "Algorithms of collectives", 1, 0, {1}, {0}},
};
#define CATEGORIES ((int) (sizeof categories / sizeof *categories))

/* ---- Life ---- */

static int opened;

int MPI_T_init_thread(int required, int *provided)
{
    if (!provided) return MPI_T_ERR_INVALID;
    *provided = required < MPI_THREAD_FUNNELED ? required : MPI_THREAD_FUNNELED;
    opened++;
    return MPI_SUCCESS;
}

int MPI_T_finalize(void)
{
    if (!opened) return MPI_T_ERR_NOT_INITIALIZED;
    opened--;
    return MPI_SUCCESS;
}

/* Errors of this interface are only returned: it may be used when MPI is not. */
#define NEED(condition, code)                                                                                          \
    do {                                                                                                               \
        if (!opened) return MPI_T_ERR_NOT_INITIALIZED;                                                                 \
        if (!(condition)) return code;                                                                                 \
    } while (0)

/* `*room` says how much fits; afterwards, how much is needed, with the end of the string. */
static void give_text(const char *text, char *into, int *room)
{
    if (!room) return;
    if (into && *room > 0) {
        strncpy(into, text, (size_t) *room - 1);
        into[*room - 1] = 0;
    }
    *room = (int) strlen(text) + 1;
}

static void give(int *into, int value)
{
    if (into) *into = value;
}

#define FIND(table, count, name, index)                                                                                \
    for (int i_ = 0; i_ < count; i_++)                                                                                 \
        if (!strcmp(table[i_].name, name)) {                                                                           \
            *index = i_;                                                                                               \
            return MPI_SUCCESS;                                                                                        \
        }                                                                                                              \
    return MPI_T_ERR_INVALID_NAME

/* ---- Control variables ---- */

struct eco_cvar_handle {
    const struct control *control;
};

int MPI_T_cvar_get_num(int *count)
{
    NEED(count, MPI_T_ERR_INVALID);
    *count = CONTROLS;
    return MPI_SUCCESS;
}

int MPI_T_cvar_get_info(int index, char *name, int *name_room, int *verbosity, MPI_Datatype *type,
                        MPI_T_enum *enumeration, char *text, int *text_room, int *binding, int *scope)
{
    NEED(index >= 0 && index < CONTROLS, MPI_T_ERR_INVALID_INDEX);
    give_text(controls[index].name, name, name_room);
    give_text(controls[index].text, text, text_room);
    give(verbosity, MPI_T_VERBOSITY_TUNER_BASIC);
    give(binding, MPI_T_BIND_NO_OBJECT);
    give(scope, controls[index].value ? MPI_T_SCOPE_LOCAL : MPI_T_SCOPE_CONSTANT);
    if (scope && controls[index].value == &collective_large_bytes) *scope = MPI_T_SCOPE_ALL_EQ;
    if (type) *type = MPI_UNSIGNED;
    if (enumeration) *enumeration = MPI_T_ENUM_NULL;
    return MPI_SUCCESS;
}

int MPI_T_cvar_get_index(const char *name, int *index)
{
    NEED(name && index, MPI_T_ERR_INVALID);
    FIND(controls, CONTROLS, name, index);
}

int MPI_T_cvar_handle_alloc(int index, void *object, MPI_T_cvar_handle *handle, int *count)
{
    (void) object;
    NEED(index >= 0 && index < CONTROLS, MPI_T_ERR_INVALID_INDEX);
    NEED(handle && count, MPI_T_ERR_INVALID);
    *handle = eco_allocate(sizeof **handle);
    (*handle)->control = &controls[index];
    *count = 1;
    return MPI_SUCCESS;
}

int MPI_T_cvar_handle_free(MPI_T_cvar_handle *handle)
{
    NEED(handle && *handle, MPI_T_ERR_INVALID_HANDLE);
    free(*handle);
    *handle = MPI_T_CVAR_HANDLE_NULL;
    return MPI_SUCCESS;
}

int MPI_T_cvar_read(MPI_T_cvar_handle handle, void *buffer)
{
    NEED(handle, MPI_T_ERR_INVALID_HANDLE);
    NEED(buffer, MPI_T_ERR_INVALID);
    *(unsigned *) buffer = handle->control->value ? *handle->control->value : handle->control->read();
    return MPI_SUCCESS;
}

int MPI_T_cvar_write(MPI_T_cvar_handle handle, const void *buffer)
{
    NEED(handle, MPI_T_ERR_INVALID_HANDLE);
    NEED(buffer, MPI_T_ERR_INVALID);
    NEED(handle->control->value, MPI_T_ERR_CVAR_SET_NEVER);
    *handle->control->value = *(const unsigned *) buffer;
    return MPI_SUCCESS;
}

/* ---- Performance variables ---- */

struct eco_pvar_session {
    struct eco_pvar_handle *first;
};
struct eco_pvar_handle {
    struct eco_pvar_handle *next;
    const struct performance *performance;
    bool running;
    unsigned begun, total; /* of counters: the count when started, and what was counted before */
};
struct eco_pvar_handle eco_pvar_all_handles;

int MPI_T_pvar_get_num(int *count)
{
    NEED(count, MPI_T_ERR_INVALID);
    *count = PERFORMANCES;
    return MPI_SUCCESS;
}

int MPI_T_pvar_get_info(int index, char *name, int *name_room, int *verbosity, int *class, MPI_Datatype *type,
                        MPI_T_enum *enumeration, char *text, int *text_room, int *binding, int *read_only,
                        int *continuous, int *atomic)
{
    NEED(index >= 0 && index < PERFORMANCES, MPI_T_ERR_INVALID_INDEX);
    const struct performance *performance = &performances[index];
    give_text(performance->name, name, name_room);
    give_text(performance->text, text, text_room);
    give(verbosity, MPI_T_VERBOSITY_USER_BASIC);
    give(class, performance->class);
    give(binding, MPI_T_BIND_NO_OBJECT);
    give(read_only, performance->class == MPI_T_PVAR_CLASS_LEVEL);
    give(continuous, performance->continuous);
    give(atomic, 0);
    if (type) *type = MPI_UNSIGNED;
    if (enumeration) *enumeration = MPI_T_ENUM_NULL;
    return MPI_SUCCESS;
}

int MPI_T_pvar_get_index(const char *name, int class, int *index)
{
    NEED(name && index, MPI_T_ERR_INVALID);
    for (int i = 0; i < PERFORMANCES; i++)
        if (performances[i].class == class && !strcmp(performances[i].name, name)) {
            *index = i;
            return MPI_SUCCESS;
        }
    return MPI_T_ERR_INVALID_NAME;
}

int MPI_T_pvar_session_create(MPI_T_pvar_session *session)
{
    NEED(session, MPI_T_ERR_INVALID);
    *session = eco_allocate(sizeof **session);
    (*session)->first = NULL;
    return MPI_SUCCESS;
}

int MPI_T_pvar_session_free(MPI_T_pvar_session *session)
{
    NEED(session && *session, MPI_T_ERR_INVALID_SESSION);
    while ((*session)->first) {
        struct eco_pvar_handle *handle = (*session)->first;
        (*session)->first = handle->next;
        free(handle);
    }
    free(*session);
    *session = MPI_T_PVAR_SESSION_NULL;
    return MPI_SUCCESS;
}

int MPI_T_pvar_handle_alloc(MPI_T_pvar_session session, int index, void *object, MPI_T_pvar_handle *handle, int *count)
{
    (void) object;
    NEED(session, MPI_T_ERR_INVALID_SESSION);
    NEED(index >= 0 && index < PERFORMANCES, MPI_T_ERR_INVALID_INDEX);
    NEED(handle && count, MPI_T_ERR_INVALID);
    *handle = eco_allocate(sizeof **handle);
    **handle = (struct eco_pvar_handle){.next = session->first, .performance = &performances[index]};
    (*handle)->running = performances[index].continuous;
    session->first = *handle;
    *count = 1;
    return MPI_SUCCESS;
}

static struct eco_pvar_handle **place_of(MPI_T_pvar_session session, MPI_T_pvar_handle handle)
{
    struct eco_pvar_handle **place = session ? &session->first : NULL;
    while (place && *place && *place != handle) place = &(*place)->next;
    return place && *place ? place : NULL;
}

int MPI_T_pvar_handle_free(MPI_T_pvar_session session, MPI_T_pvar_handle *handle)
{
    NEED(session, MPI_T_ERR_INVALID_SESSION);
    struct eco_pvar_handle **place = handle ? place_of(session, *handle) : NULL;
    NEED(place, MPI_T_ERR_INVALID_HANDLE);
    *place = (*handle)->next;
    free(*handle);
    *handle = MPI_T_PVAR_HANDLE_NULL;
    return MPI_SUCCESS;
}

static unsigned value_of(const struct eco_pvar_handle *handle)
{
    unsigned now = handle->performance->read();
    if (handle->performance->class == MPI_T_PVAR_CLASS_LEVEL) return now;
    return handle->total + (handle->running ? now - handle->begun : 0);
}

static int set_running(struct eco_pvar_handle *handle, bool running)
{
    if (handle->performance->continuous) return MPI_T_ERR_PVAR_NO_STARTSTOP;
    if (handle->running == running) return MPI_SUCCESS;
    handle->total = value_of(handle);
    handle->begun = handle->performance->read();
    handle->running = running;
    return MPI_SUCCESS;
}

/* All handles: those that cannot be started or stopped are passed over. */
static int start_or_stop(MPI_T_pvar_session session, MPI_T_pvar_handle handle, bool running)
{
    NEED(session, MPI_T_ERR_INVALID_SESSION);
    if (handle == MPI_T_PVAR_ALL_HANDLES) {
        for (struct eco_pvar_handle *each = session->first; each; each = each->next) set_running(each, running);
        return MPI_SUCCESS;
    }
    NEED(place_of(session, handle), MPI_T_ERR_INVALID_HANDLE);
    return set_running(handle, running);
}

int MPI_T_pvar_start(MPI_T_pvar_session session, MPI_T_pvar_handle handle) { return start_or_stop(session, handle, true); }
int MPI_T_pvar_stop(MPI_T_pvar_session session, MPI_T_pvar_handle handle) { return start_or_stop(session, handle, false); }

int MPI_T_pvar_read(MPI_T_pvar_session session, MPI_T_pvar_handle handle, void *buffer)
{
    NEED(session, MPI_T_ERR_INVALID_SESSION);
    NEED(place_of(session, handle), MPI_T_ERR_INVALID_HANDLE);
    NEED(buffer, MPI_T_ERR_INVALID);
    *(unsigned *) buffer = value_of(handle);
    return MPI_SUCCESS;
}

static int set_value(struct eco_pvar_handle *handle, unsigned value)
{
    if (handle->performance->class == MPI_T_PVAR_CLASS_LEVEL) return MPI_T_ERR_PVAR_NO_WRITE;
    handle->total = value;
    handle->begun = handle->performance->read();
    return MPI_SUCCESS;
}

int MPI_T_pvar_write(MPI_T_pvar_session session, MPI_T_pvar_handle handle, const void *buffer)
{
    NEED(session, MPI_T_ERR_INVALID_SESSION);
    NEED(place_of(session, handle), MPI_T_ERR_INVALID_HANDLE);
    NEED(buffer, MPI_T_ERR_INVALID);
    return set_value(handle, *(const unsigned *) buffer);
}

int MPI_T_pvar_reset(MPI_T_pvar_session session, MPI_T_pvar_handle handle)
{
    NEED(session, MPI_T_ERR_INVALID_SESSION);
    if (handle == MPI_T_PVAR_ALL_HANDLES) {
        for (struct eco_pvar_handle *each = session->first; each; each = each->next) set_value(each, 0);
        return MPI_SUCCESS;
    }
    NEED(place_of(session, handle), MPI_T_ERR_INVALID_HANDLE);
    return set_value(handle, 0);
}

int MPI_T_pvar_readreset(MPI_T_pvar_session session, MPI_T_pvar_handle handle, void *buffer)
{
    int code = MPI_T_pvar_read(session, handle, buffer);
    return code ? code : MPI_T_pvar_reset(session, handle);
}

/* ---- Categories and enumerations ---- */

int MPI_T_category_get_num(int *count)
{
    NEED(count, MPI_T_ERR_INVALID);
    *count = CATEGORIES;
    return MPI_SUCCESS;
}

int MPI_T_category_get_info(int index, char *name, int *name_room, char *text, int *text_room, int *control_count,
                            int *performance_count, int *category_count)
{
    NEED(index >= 0 && index < CATEGORIES, MPI_T_ERR_INVALID_INDEX);
    give_text(categories[index].name, name, name_room);
    give_text(categories[index].text, text, text_room);
    give(control_count, categories[index].control_count);
    give(performance_count, categories[index].performance_count);
    give(category_count, 0);
    return MPI_SUCCESS;
}

int MPI_T_category_get_index(const char *name, int *index)
{
    NEED(name && index, MPI_T_ERR_INVALID);
    FIND(categories, CATEGORIES, name, index);
}

int MPI_T_category_get_cvars(int index, int room, int *indices)
{
    NEED(index >= 0 && index < CATEGORIES, MPI_T_ERR_INVALID_INDEX);
    for (int i = 0; i < room && i < categories[index].control_count; i++) indices[i] = categories[index].controls[i];
    return MPI_SUCCESS;
}

int MPI_T_category_get_pvars(int index, int room, int *indices)
{
    NEED(index >= 0 && index < CATEGORIES, MPI_T_ERR_INVALID_INDEX);
    for (int i = 0; i < room && i < categories[index].performance_count; i++)
        indices[i] = categories[index].performances[i];
    return MPI_SUCCESS;
}

int MPI_T_category_get_categories(int index, int room, int *indices)
{
    (void) room, (void) indices; /* none has any */
    NEED(index >= 0 && index < CATEGORIES, MPI_T_ERR_INVALID_INDEX);
    return MPI_SUCCESS;
}

/* Nothing is ever added. */
int MPI_T_category_changed(int *stamp)
{
    NEED(stamp, MPI_T_ERR_INVALID);
    *stamp = 1;
    return MPI_SUCCESS;
}

/* No variable is of an enumerated type, so there is no enumeration to ask about. */
int MPI_T_enum_get_info(MPI_T_enum enumeration, int *count, char *name, int *room)
{
    (void) enumeration, (void) count, (void) name, (void) room;
    NEED(false, MPI_T_ERR_INVALID_HANDLE);
    return MPI_SUCCESS;
}

int MPI_T_enum_get_item(MPI_T_enum enumeration, int index, int *value, char *name, int *room)
{
    (void) enumeration, (void) index, (void) value, (void) name, (void) room;
    NEED(false, MPI_T_ERR_INVALID_HANDLE);
    return MPI_SUCCESS;
}
