/* Errors: classes, texts, and the handlers that decide what happens. */
#include "file.h"
#include "window.h"

#include <stdio.h>

typedef void handler_function(void *object, int *code, ...);

struct eco_errhandler {
    int references; /* 0: predefined */
    handler_function *function;
};
struct eco_errhandler eco_errors_are_fatal, eco_errors_return;
static struct eco_errhandler *file_default_handler = &eco_errors_return;

static const char *const texts[] = {
    [MPI_SUCCESS] = "No error",
    [MPI_ERR_BUFFER] = "Invalid buffer",
    [MPI_ERR_COUNT] = "Invalid count",
    [MPI_ERR_TYPE] = "Invalid datatype, or one that is not committed",
    [MPI_ERR_TAG] = "Invalid tag",
    [MPI_ERR_COMM] = "Invalid communicator",
    [MPI_ERR_RANK] = "Invalid rank",
    [MPI_ERR_REQUEST] = "Invalid request",
    [MPI_ERR_ROOT] = "Invalid root",
    [MPI_ERR_GROUP] = "Invalid group",
    [MPI_ERR_OP] = "Invalid reduction operator, or one that this datatype does not have",
    [MPI_ERR_TOPOLOGY] = "Invalid topology",
    [MPI_ERR_DIMS] = "Invalid dimensions",
    [MPI_ERR_ARG] = "Invalid argument",
    [MPI_ERR_UNKNOWN] = "Unknown error",
    [MPI_ERR_TRUNCATE] = "Message truncated: it is longer than the buffer that was given to receive it",
    [MPI_ERR_OTHER] = "Other error",
    [MPI_ERR_INTERN] = "Internal error of the library",
    [MPI_ERR_PENDING] = "Pending request",
    [MPI_ERR_IN_STATUS] = "The error code is in the status",
    [MPI_ERR_ACCESS] = "Permission denied",
    [MPI_ERR_AMODE] = "Invalid mode of access",
    [MPI_ERR_ASSERT] = "Invalid assertion",
    [MPI_ERR_BAD_FILE] = "Invalid file name",
    [MPI_ERR_BASE] = "Invalid base address",
    [MPI_ERR_CONVERSION] = "Error in a conversion function",
    [MPI_ERR_DISP] = "Invalid displacement",
    [MPI_ERR_DUP_DATAREP] = "The data representation is defined already",
    [MPI_ERR_FILE_EXISTS] = "The file exists",
    [MPI_ERR_FILE_IN_USE] = "The file is in use",
    [MPI_ERR_FILE] = "Invalid file handle",
    [MPI_ERR_INFO_KEY] = "Invalid info key",
    [MPI_ERR_INFO_NOKEY] = "No such info key",
    [MPI_ERR_INFO_VALUE] = "Invalid info value",
    [MPI_ERR_INFO] = "Invalid info object",
    [MPI_ERR_IO] = "Input or output error",
    [MPI_ERR_KEYVAL] = "Invalid attribute key",
    [MPI_ERR_LOCKTYPE] = "Invalid lock type",
    [MPI_ERR_NAME] = "No such service name",
    [MPI_ERR_NO_MEM] = "Out of memory",
    [MPI_ERR_NOT_SAME] = "Collective arguments differ",
    [MPI_ERR_NO_SPACE] = "Not enough space",
    [MPI_ERR_NO_SUCH_FILE] = "No such file",
    [MPI_ERR_PORT] = "Invalid port name",
    [MPI_ERR_QUOTA] = "Quota exceeded",
    [MPI_ERR_READ_ONLY] = "Read-only file or file system",
    [MPI_ERR_RMA_CONFLICT] = "Conflicting accesses to a window",
    [MPI_ERR_RMA_SYNC] = "Wrong synchronisation of one-sided calls",
    [MPI_ERR_SERVICE] = "Invalid service name",
    [MPI_ERR_SIZE] = "Invalid size",
    [MPI_ERR_SPAWN] = "Could not spawn processes",
    [MPI_ERR_UNSUPPORTED_DATAREP] = "Unsupported data representation",
    [MPI_ERR_UNSUPPORTED_OPERATION] = "Unsupported operation",
    [MPI_ERR_WIN] = "Invalid window",
    [MPI_ERR_RMA_RANGE] = "Target memory is not in the window",
    [MPI_ERR_RMA_ATTACH] = "Memory cannot be attached",
    [MPI_ERR_RMA_SHARED] = "Memory cannot be shared by ranks of different nodes: MPI_Comm_split_type with MPI_COMM_TYPE_SHARED gives those of a node, and MPI_Win_allocate memory that all can access",
    [MPI_ERR_RMA_FLAVOR] = "Wrong flavour of window",
    [MPI_T_ERR_NOT_INITIALIZED] = "The tool interface has not been initialised",
    [MPI_T_ERR_MEMORY] = "The tool interface is out of memory",
    [MPI_T_ERR_CANNOT_INIT] = "The tool interface cannot be initialised",
    [MPI_T_ERR_INVALID] = "Invalid use of the tool interface",
    [MPI_T_ERR_INVALID_INDEX] = "Invalid index of a variable or category",
    [MPI_T_ERR_INVALID_ITEM] = "Invalid item of an enumeration",
    [MPI_T_ERR_INVALID_HANDLE] = "Invalid handle of a variable",
    [MPI_T_ERR_INVALID_SESSION] = "Invalid session of performance variables",
    [MPI_T_ERR_INVALID_NAME] = "No variable or category of this name",
    [MPI_T_ERR_OUT_OF_HANDLES] = "No more handles",
    [MPI_T_ERR_OUT_OF_SESSIONS] = "No more sessions",
    [MPI_T_ERR_CVAR_SET_NOT_NOW] = "The control variable cannot be set now",
    [MPI_T_ERR_CVAR_SET_NEVER] = "The control variable cannot be set",
    [MPI_T_ERR_PVAR_NO_STARTSTOP] = "The performance variable cannot be started or stopped",
    [MPI_T_ERR_PVAR_NO_WRITE] = "The performance variable cannot be written or reset",
    [MPI_T_ERR_PVAR_NO_ATOMIC] = "The performance variable cannot be read and reset at once",
};
#define CLASS_COUNT ((int) (sizeof texts / sizeof *texts))

/* Classes and codes of the program's own, numbered from here on. */
#define FIRST_OWN (MPI_ERR_LASTCODE + 1)
struct own_error {
    int error_class;
    char *text;
};
static struct own_error *own;
static int own_count;
int error_last_code = FIRST_OWN - 1;

static struct own_error *own_error(int code)
{
    int index = code - FIRST_OWN;
    return index >= 0 && index < own_count ? &own[index] : NULL;
}

static bool known(int code) { return (code >= 0 && code < CLASS_COUNT && texts[code]) || own_error(code); }

static const char *text_of(int code)
{
    struct own_error *mine = own_error(code);
    if (mine) return mine->text ? mine->text : "";
    return code >= 0 && code < CLASS_COUNT && texts[code] ? texts[code] : "Unknown error code";
}

int MPI_Error_string(int code, char *text, int *length)
{
    REQUIRE(text && length, NULL, MPI_ERR_ARG);
    strcpy(text, text_of(code));
    *length = (int) strlen(text);
    return MPI_SUCCESS;
}

int MPI_Error_class(int code, int *error_class)
{
    REQUIRE(error_class, NULL, MPI_ERR_ARG);
    struct own_error *mine = own_error(code);
    *error_class = mine ? mine->error_class : known(code) ? code : MPI_ERR_UNKNOWN;
    return MPI_SUCCESS;
}

static int add(int error_class)
{
    own = realloc(own, (size_t) (own_count + 1) * sizeof *own);
    error_last_code = FIRST_OWN + own_count;
    own[own_count++] = (struct own_error){error_class < 0 ? error_last_code : error_class, NULL};
    return error_last_code;
}

int MPI_Add_error_class(int *error_class)
{
    REQUIRE(error_class, NULL, MPI_ERR_ARG);
    *error_class = add(-1);
    return MPI_SUCCESS;
}

int MPI_Add_error_code(int error_class, int *code)
{
    REQUIRE(code && known(error_class), NULL, MPI_ERR_ARG);
    *code = add(error_class);
    return MPI_SUCCESS;
}

int MPI_Add_error_string(int code, const char *text)
{
    struct own_error *mine = own_error(code);
    REQUIRE(mine && text, NULL, MPI_ERR_ARG);
    free(mine->text);
    mine->text = strdup(text);
    return MPI_SUCCESS;
}

/* ---- Handlers ---- */

static _Noreturn void die(const char *function, int code)
{
    if (*function == 'P') function++;
    fflush(stdout);
    fprintf(stderr, "ecotone: rank %d: %s: %s (error %d)\n", transport_rank, function, text_of(code), code);
    eco_abort(code);
}

/* `object`: the address of the handle that the handler is called with. */
static int call_handler(struct eco_errhandler *handler, void *object, int code, const char *function)
{
    if (handler == MPI_ERRORS_RETURN) return code;
    if (handler == MPI_ERRORS_ARE_FATAL) die(function, code);
    handler->function(object, &code);
    return code;
}

int comm_error(struct eco_comm *comm, int code, const char *function)
{
    if (!initialized()) die(function, code);
    if (!comm || comm->references <= 0) comm = MPI_COMM_WORLD;
    return call_handler(comm->errhandler, &comm, code, function);
}

int win_error(struct eco_win *win, int code, const char *function)
{
    if (!win) return comm_error(NULL, code, function);
    return call_handler(win->errhandler, &win, code, function);
}

/* Errors without a file, as in opening one, are those of MPI_FILE_NULL, whose handler says MPI_ERRORS_RETURN. */
int file_error(struct eco_file *file, int code, const char *function)
{
    if (!initialized()) die(function, code);
    return call_handler(file ? file->errhandler : file_default_handler, &file, code, function);
}

void errhandler_hold(struct eco_errhandler *handler)
{
    if (handler->references) handler->references++;
}

void errhandler_release(struct eco_errhandler *handler)
{
    if (handler->references && --handler->references == 0) free(handler);
}

/* The calls, the same for each kind of object; `place` is where it keeps its handler. */
#define ERRHANDLERS(Object, handle, check, place, PASS_x, report)                                                      \
    int MPI_##Object##_create_errhandler(MPI_##Object##_errhandler_function *function, MPI_Errhandler *handler)        \
    {                                                                                                                  \
        REQUIRE(function && handler, NULL, MPI_ERR_ARG);                                                               \
        *handler = eco_allocate(sizeof **handler);                                                                     \
        **handler = (struct eco_errhandler){1, (handler_function *) (void *) function};                                \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_##Object##_set_errhandler(handle object, MPI_Errhandler handler)                                           \
    {                                                                                                                  \
        PASS_x(object, check(object));                                                                                 \
        PASS_x(object, handler ? MPI_SUCCESS : MPI_ERR_ARG);                                                           \
        errhandler_hold(handler);                                                                                      \
        errhandler_release(*place(object));                                                                            \
        *place(object) = handler;                                                                                      \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_##Object##_get_errhandler(handle object, MPI_Errhandler *handler)                                          \
    {                                                                                                                  \
        PASS_x(object, check(object));                                                                                 \
        PASS_x(object, handler ? MPI_SUCCESS : MPI_ERR_ARG);                                                           \
        errhandler_hold(*place(object));                                                                               \
        *handler = *place(object);                                                                                     \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_##Object##_call_errhandler(handle object, int code)                                                        \
    {                                                                                                                  \
        PASS_x(object, check(object));                                                                                 \
        report(object, code, "MPI_" #Object "_call_errhandler");                                                       \
        return MPI_SUCCESS;                                                                                            \
    }
#define COMM_HANDLER(comm) (&(comm)->errhandler)
#define WIN_HANDLER(win) (&(win)->errhandler)
#define FILE_HANDLER(file) ((file) ? &(file)->errhandler : &file_default_handler)
static int check_any_file(struct eco_file *file) { return file ? check_file(file) : MPI_SUCCESS; }
ERRHANDLERS(Comm, MPI_Comm, check_comm, COMM_HANDLER, PASS, comm_error)
ERRHANDLERS(Win, MPI_Win, check_win, WIN_HANDLER, WIN_PASS, win_error)
ERRHANDLERS(File, MPI_File, check_any_file, FILE_HANDLER, FILE_PASS, file_error)

int MPI_Errhandler_free(MPI_Errhandler *handler)
{
    REQUIRE(handler && *handler, NULL, MPI_ERR_ARG);
    errhandler_release(*handler);
    *handler = MPI_ERRHANDLER_NULL;
    return MPI_SUCCESS;
}

/* The names of MPI-1 */
int MPI_Errhandler_create(MPI_Handler_function *function, MPI_Errhandler *handler)
{
    return MPI_Comm_create_errhandler(function, handler);
}
int MPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler handler) { return MPI_Comm_set_errhandler(comm, handler); }
int MPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler *handler) { return MPI_Comm_get_errhandler(comm, handler); }
