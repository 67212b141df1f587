/* Info objects: ordered lists of keys and values. */
#include "internal.h"

struct entry {
    struct entry *next;
    char *key, *value;
};
struct eco_info {
    struct entry *first;
};
struct eco_info eco_info_env;

static struct entry **entry_place(struct eco_info *info, const char *key)
{
    struct entry **place = &info->first;
    while (*place && strcmp((*place)->key, key)) place = &(*place)->next;
    return place;
}

static void set(struct eco_info *info, const char *key, const char *value)
{
    struct entry **place = entry_place(info, key);
    char *copy = strdup(value);
    if (*place) {
        free((*place)->value);
        (*place)->value = copy;
        return;
    }
    *place = eco_allocate(sizeof **place);
    **place = (struct entry){NULL, strdup(key), copy};
}

static void drop(struct entry **place)
{
    struct entry *entry = *place;
    *place = entry->next;
    free(entry->key);
    free(entry->value);
    free(entry);
}

struct eco_info *info_copy(const struct eco_info *info)
{
    if (!info) return NULL;
    struct eco_info *copy = eco_allocate(sizeof *copy);
    copy->first = NULL;
    for (struct entry *entry = info->first; entry; entry = entry->next) set(copy, entry->key, entry->value);
    return copy;
}

void info_merge(struct eco_info **into, const struct eco_info *from)
{
    if (!from) return;
    if (!*into) MPI_Info_create(into);
    for (struct entry *entry = from->first; entry; entry = entry->next) set(*into, entry->key, entry->value);
}

const char *info_value(const struct eco_info *info, const char *key)
{
    struct entry *entry = info ? *entry_place((struct eco_info *) info, key) : NULL;
    return entry ? entry->value : NULL;
}

void info_release(struct eco_info *info)
{
    if (!info || info == MPI_INFO_ENV) return;
    while (info->first) drop(&info->first);
    free(info);
}

static int check_key(const struct eco_info *info, const char *key)
{
    if (!info) return MPI_ERR_INFO;
    return key && *key && strlen(key) <= MPI_MAX_INFO_KEY ? MPI_SUCCESS : MPI_ERR_INFO_KEY;
}

int MPI_Info_create(MPI_Info *info)
{
    REQUIRE(info, NULL, MPI_ERR_ARG);
    *info = eco_allocate(sizeof **info);
    (*info)->first = NULL;
    return MPI_SUCCESS;
}

int MPI_Info_set(MPI_Info info, const char *key, const char *value)
{
    PASS(NULL, check_key(info, key));
    REQUIRE(value && strlen(value) <= MPI_MAX_INFO_VAL, NULL, MPI_ERR_INFO_VALUE);
    set(info, key, value);
    return MPI_SUCCESS;
}

int MPI_Info_delete(MPI_Info info, const char *key)
{
    PASS(NULL, check_key(info, key));
    struct entry **place = entry_place(info, key);
    REQUIRE(*place, NULL, MPI_ERR_INFO_NOKEY);
    drop(place);
    return MPI_SUCCESS;
}

int MPI_Info_get(MPI_Info info, const char *key, int room, char *value, int *found)
{
    PASS(NULL, check_key(info, key));
    REQUIRE(value && found && room >= 0, NULL, MPI_ERR_ARG);
    struct entry *entry = *entry_place(info, key);
    *found = entry != NULL;
    if (!entry) return MPI_SUCCESS;
    strncpy(value, entry->value, (size_t) room);
    if (strlen(entry->value) >= (size_t) room) value[room] = 0; /* `room` does not count the end of the string */
    return MPI_SUCCESS;
}

int MPI_Info_get_valuelen(MPI_Info info, const char *key, int *length, int *found)
{
    PASS(NULL, check_key(info, key));
    REQUIRE(length && found, NULL, MPI_ERR_ARG);
    struct entry *entry = *entry_place(info, key);
    *found = entry != NULL;
    if (entry) *length = (int) strlen(entry->value);
    return MPI_SUCCESS;
}

int MPI_Info_get_nkeys(MPI_Info info, int *count)
{
    REQUIRE(info, NULL, MPI_ERR_INFO);
    REQUIRE(count, NULL, MPI_ERR_ARG);
    *count = 0;
    for (struct entry *entry = info->first; entry; entry = entry->next) ++*count;
    return MPI_SUCCESS;
}

int MPI_Info_get_nthkey(MPI_Info info, int n, char *key)
{
    REQUIRE(info, NULL, MPI_ERR_INFO);
    REQUIRE(key && n >= 0, NULL, MPI_ERR_ARG);
    struct entry *entry = info->first;
    while (entry && n--) entry = entry->next;
    REQUIRE(entry, NULL, MPI_ERR_ARG);
    strcpy(key, entry->key);
    return MPI_SUCCESS;
}

int MPI_Info_dup(MPI_Info info, MPI_Info *copy)
{
    REQUIRE(info, NULL, MPI_ERR_INFO);
    REQUIRE(copy, NULL, MPI_ERR_ARG);
    *copy = info_copy(info);
    return MPI_SUCCESS;
}

int MPI_Info_free(MPI_Info *info)
{
    REQUIRE(info && *info && *info != MPI_INFO_ENV, NULL, MPI_ERR_INFO);
    info_release(*info);
    *info = MPI_INFO_NULL;
    return MPI_SUCCESS;
}
