/* Attributes: values that a program hangs on communicators, types and windows, with callbacks for copying and deleting. */
#include "window.h"

typedef int copy_function(void *object, int keyval, void *extra, void *value, void *copy, int *flag);
typedef int delete_function(void *object, int keyval, void *value, void *extra);

struct keyval {
    int references;
    enum keyval_object kind;
    bool freed;
    copy_function *copy;
    delete_function *remove;
    void *extra;
};
struct attribute {
    struct attribute *next; /* the newest first: they are deleted in that order */
    int keyval;
    void *value;
};

#define FIRST_KEYVAL 64 /* below: the predefined ones */
static struct keyval **keyvals;
static int keyval_count;

static struct keyval *keyval_find(int id)
{
    int index = id - FIRST_KEYVAL;
    return index >= 0 && index < keyval_count ? keyvals[index] : NULL;
}

static void keyval_release(int id)
{
    struct keyval *keyval = keyval_find(id);
    if (--keyval->references) return;
    free(keyval);
    keyvals[id - FIRST_KEYVAL] = NULL;
}

static int keyval_new(enum keyval_object kind, copy_function *copy, delete_function *remove, void *extra)
{
    struct keyval *keyval = eco_allocate(sizeof *keyval);
    *keyval = (struct keyval){.references = 1, .kind = kind, .copy = copy, .remove = remove, .extra = extra};
    keyvals = realloc(keyvals, (size_t) (keyval_count + 1) * sizeof *keyvals);
    keyvals[keyval_count] = keyval;
    return FIRST_KEYVAL + keyval_count++;
}

static int keyval_free(enum keyval_object kind, int *id)
{
    struct keyval *keyval = id ? keyval_find(*id) : NULL;
    if (!keyval || keyval->kind != kind) return MPI_ERR_KEYVAL;
    bool first = !keyval->freed;
    keyval->freed = true;
    if (first) keyval_release(*id);
    *id = MPI_KEYVAL_INVALID;
    return MPI_SUCCESS;
}

/* Freeing a key takes no attribute away: as long as one is there, it can be read, replaced and deleted. */
static bool usable(enum keyval_object kind, int id)
{
    struct keyval *keyval = keyval_find(id);
    return keyval && keyval->kind == kind;
}

int eco_attribute_dup(void *object, int keyval, void *extra, void *value_in, void *value_out, int *flag)
{
    (void) object, (void) keyval, (void) extra;
    *(void **) value_out = value_in;
    *flag = 1;
    return MPI_SUCCESS;
}

static struct attribute **attribute_place(struct attribute **list, int keyval)
{
    while (*list && (*list)->keyval != keyval) list = &(*list)->next;
    return list;
}

static int call_delete(void *object, const struct attribute *attribute)
{
    struct keyval *keyval = keyval_find(attribute->keyval);
    if (!keyval->remove) return MPI_SUCCESS;
    return keyval->remove(object, attribute->keyval, attribute->value, keyval->extra);
}

static int remove_at(void *object, struct attribute **place)
{
    struct attribute *attribute = *place;
    int code = call_delete(object, attribute);
    if (code) return code;
    *place = attribute->next;
    keyval_release(attribute->keyval);
    free(attribute);
    return MPI_SUCCESS;
}

int attribute_set(enum keyval_object kind, void *object, struct attribute **list, int keyval, void *value)
{
    if (!usable(kind, keyval)) return MPI_ERR_KEYVAL;
    struct attribute *attribute = *attribute_place(list, keyval);
    if (attribute) {
        int code = call_delete(object, attribute);
        if (!code) attribute->value = value;
        return code;
    }
    attribute = eco_allocate(sizeof *attribute);
    *attribute = (struct attribute){*list, keyval, value};
    *list = attribute;
    keyval_find(keyval)->references++;
    return MPI_SUCCESS;
}

int attribute_get(struct attribute *list, int keyval, void *value, int *found)
{
    if (!keyval_find(keyval)) return MPI_ERR_KEYVAL;
    struct attribute *attribute = *attribute_place(&list, keyval);
    *found = attribute != NULL;
    if (attribute) *(void **) value = attribute->value;
    return MPI_SUCCESS;
}

int attribute_delete(enum keyval_object kind, void *object, struct attribute **list, int keyval)
{
    if (!usable(kind, keyval)) return MPI_ERR_KEYVAL;
    struct attribute **place = attribute_place(list, keyval);
    return *place ? remove_at(object, place) : MPI_ERR_KEYVAL;
}

/* Asks each attribute's copy function whether the new object gets it; the order stays. */
int attributes_copy(void *object, struct attribute *from, struct attribute **to)
{
    for (; from; from = from->next) {
        struct keyval *keyval = keyval_find(from->keyval);
        int flag = 0;
        void *value = NULL;
        if (!keyval->copy) continue;
        int code = keyval->copy(object, from->keyval, keyval->extra, from->value, &value, &flag);
        if (code) return code;
        if (!flag) continue;
        struct attribute *copy = eco_allocate(sizeof *copy);
        *copy = (struct attribute){NULL, from->keyval, value};
        keyval->references++;
        *to = copy;
        to = &copy->next;
    }
    return MPI_SUCCESS;
}

int attributes_delete(void *object, struct attribute **attributes)
{
    while (*attributes) {
        int code = remove_at(object, attributes);
        if (code) return code;
    }
    return MPI_SUCCESS;
}

/* ---- What every object has ---- */

static bool predefined_Comm(struct eco_comm *comm, int keyval, void *value, int *found)
{
    static int tag_max = 0x3fffffff, none = MPI_PROC_NULL, any = MPI_ANY_SOURCE, yes = 1, universe;
    (void) comm;
    universe = transport_size;
    *found = keyval != MPI_APPNUM; /* nobody has counted the programs of this job */
    switch (keyval) {
    case MPI_TAG_UB: *(int **) value = &tag_max; return true;
    case MPI_HOST: *(int **) value = &none; return true;
    case MPI_IO: *(int **) value = &any; return true;
    case MPI_WTIME_IS_GLOBAL: *(int **) value = &yes; return true;
    case MPI_UNIVERSE_SIZE: *(int **) value = &universe; return true;
    case MPI_LASTUSEDCODE: *(int **) value = &error_last_code; return true;
    case MPI_APPNUM: return true;
    default: return false;
    }
}

static bool predefined_Type(struct eco_type *type, int keyval, void *value, int *found)
{
    (void) type, (void) keyval, (void) value, (void) found;
    return false;
}

static bool predefined_Win(struct eco_win *win, int keyval, void *value, int *found)
{
    *found = 1;
    switch (keyval) {
    case MPI_WIN_BASE: *(void **) value = win->base; return true;
    case MPI_WIN_SIZE: *(MPI_Aint **) value = &win->size; return true;
    case MPI_WIN_DISP_UNIT: *(int **) value = &win->unit; return true;
    case MPI_WIN_CREATE_FLAVOR: *(int **) value = &win->flavor; return true;
    case MPI_WIN_MODEL: *(int **) value = &win->model; return true;
    default: return false;
    }
}

/* ---- The calls, the same for each kind of object ---- */

#define KEYVALS(Object, kind)                                                                                          \
    int MPI_##Object##_create_keyval(MPI_##Object##_copy_attr_function *copy,                                          \
                                     MPI_##Object##_delete_attr_function *remove, int *keyval, void *extra)            \
    {                                                                                                                  \
        REQUIRE(keyval, NULL, MPI_ERR_ARG);                                                                            \
        *keyval = keyval_new(kind, (copy_function *) (void *) copy, (delete_function *) (void *) remove, extra);       \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_##Object##_free_keyval(int *keyval)                                                                        \
    {                                                                                                                  \
        PASS(NULL, keyval_free(kind, keyval));                                                                         \
        return MPI_SUCCESS;                                                                                            \
    }
KEYVALS(Comm, KEYVAL_COMM)
KEYVALS(Type, KEYVAL_TYPE)
KEYVALS(Win, KEYVAL_WIN)

/* PASS_x calls the error handler of such an object. */
#define ATTRIBUTES(Object, handle, kind, check, PASS_x)                                                                \
    int MPI_##Object##_set_attr(handle object, int keyval, void *value)                                                \
    {                                                                                                                  \
        PASS_x(object, check(object));                                                                                 \
        PASS_x(object, attribute_set(kind, object, &object->attributes, keyval, value));                               \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_##Object##_delete_attr(handle object, int keyval)                                                          \
    {                                                                                                                  \
        PASS_x(object, check(object));                                                                                 \
        PASS_x(object, attribute_delete(kind, object, &object->attributes, keyval));                                   \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_##Object##_get_attr(handle object, int keyval, void *value, int *found)                                    \
    {                                                                                                                  \
        PASS_x(object, check(object));                                                                                 \
        PASS_x(object, value && found ? MPI_SUCCESS : MPI_ERR_ARG);                                                    \
        if (predefined_##Object(object, keyval, value, found)) return MPI_SUCCESS;                                     \
        PASS_x(object, attribute_get(object->attributes, keyval, value, found));                                       \
        return MPI_SUCCESS;                                                                                            \
    }
#define PASS_TYPE(type, expression) PASS(NULL, expression)
static int check_type(const struct eco_type *type) { return type ? MPI_SUCCESS : MPI_ERR_TYPE; }
ATTRIBUTES(Comm, MPI_Comm, KEYVAL_COMM, check_comm, PASS)
ATTRIBUTES(Type, MPI_Datatype, KEYVAL_TYPE, check_type, PASS_TYPE)
ATTRIBUTES(Win, MPI_Win, KEYVAL_WIN, check_win, WIN_PASS)

/* The names of MPI-1 */
int MPI_Keyval_create(MPI_Copy_function *copy, MPI_Delete_function *remove, int *keyval, void *extra)
{
    return MPI_Comm_create_keyval(copy, remove, keyval, extra);
}
int MPI_Keyval_free(int *keyval) { return MPI_Comm_free_keyval(keyval); }
int MPI_Attr_put(MPI_Comm comm, int keyval, void *value) { return MPI_Comm_set_attr(comm, keyval, value); }
int MPI_Attr_delete(MPI_Comm comm, int keyval) { return MPI_Comm_delete_attr(comm, keyval); }
int MPI_Attr_get(MPI_Comm comm, int keyval, void *value, int *found)
{
    return MPI_Comm_get_attr(comm, keyval, value, found);
}
