/* Attributes: values that a program hangs on communicators and types, with callbacks for copying and deleting. */
#include "internal.h"

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

/* ---- Communicators ---- */

static bool predefined(int keyval, void *value)
{
    static int tag_max = 0x3fffffff, none = MPI_PROC_NULL, any = MPI_ANY_SOURCE, yes = 1, universe;
    universe = transport_size;
    switch (keyval) {
    case MPI_TAG_UB: *(int **) value = &tag_max; return true;
    case MPI_HOST: *(int **) value = &none; return true;
    case MPI_IO: *(int **) value = &any; return true;
    case MPI_WTIME_IS_GLOBAL: *(int **) value = &yes; return true;
    case MPI_UNIVERSE_SIZE: *(int **) value = &universe; return true;
    case MPI_LASTUSEDCODE: *(int **) value = &error_last_code; return true;
    default: return false;
    }
}

int MPI_Comm_get_attr(MPI_Comm comm, int keyval, void *value, int *found)
{
    PASS(comm, check_comm(comm));
    REQUIRE(value && found, comm, MPI_ERR_ARG);
    *found = predefined(keyval, value);
    if (*found || keyval == MPI_APPNUM) return MPI_SUCCESS;
    PASS(comm, attribute_get(comm->attributes, keyval, value, found));
    return MPI_SUCCESS;
}

int MPI_Comm_create_keyval(MPI_Comm_copy_attr_function *copy, MPI_Comm_delete_attr_function *remove, int *keyval,
                           void *extra)
{
    REQUIRE(keyval, NULL, MPI_ERR_ARG);
    *keyval = keyval_new(KEYVAL_COMM, (copy_function *) (void *) copy, (delete_function *) (void *) remove, extra);
    return MPI_SUCCESS;
}

int MPI_Comm_free_keyval(int *keyval)
{
    PASS(NULL, keyval_free(KEYVAL_COMM, keyval));
    return MPI_SUCCESS;
}

int MPI_Comm_set_attr(MPI_Comm comm, int keyval, void *value)
{
    PASS(comm, check_comm(comm));
    PASS(comm, attribute_set(KEYVAL_COMM, comm, &comm->attributes, keyval, value));
    return MPI_SUCCESS;
}

int MPI_Comm_delete_attr(MPI_Comm comm, int keyval)
{
    PASS(comm, check_comm(comm));
    PASS(comm, attribute_delete(KEYVAL_COMM, comm, &comm->attributes, keyval));
    return MPI_SUCCESS;
}

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

/* ---- Types ---- */

int MPI_Type_create_keyval(MPI_Type_copy_attr_function *copy, MPI_Type_delete_attr_function *remove, int *keyval,
                           void *extra)
{
    REQUIRE(keyval, NULL, MPI_ERR_ARG);
    *keyval = keyval_new(KEYVAL_TYPE, (copy_function *) (void *) copy, (delete_function *) (void *) remove, extra);
    return MPI_SUCCESS;
}

int MPI_Type_free_keyval(int *keyval)
{
    PASS(NULL, keyval_free(KEYVAL_TYPE, keyval));
    return MPI_SUCCESS;
}

int MPI_Type_set_attr(MPI_Datatype type, int keyval, void *value)
{
    REQUIRE(type, NULL, MPI_ERR_TYPE);
    PASS(NULL, attribute_set(KEYVAL_TYPE, type, &type->attributes, keyval, value));
    return MPI_SUCCESS;
}

int MPI_Type_get_attr(MPI_Datatype type, int keyval, void *value, int *found)
{
    REQUIRE(type, NULL, MPI_ERR_TYPE);
    REQUIRE(value && found, NULL, MPI_ERR_ARG);
    PASS(NULL, attribute_get(type->attributes, keyval, value, found));
    return MPI_SUCCESS;
}

int MPI_Type_delete_attr(MPI_Datatype type, int keyval)
{
    REQUIRE(type, NULL, MPI_ERR_TYPE);
    PASS(NULL, attribute_delete(KEYVAL_TYPE, type, &type->attributes, keyval));
    return MPI_SUCCESS;
}
