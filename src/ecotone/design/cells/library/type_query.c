/* Questions about datatypes, and packing by hand. */
#include "internal.h"

#include <limits.h>

#define CHECK_TYPE(type, result)                                                                                       \
    REQUIRE(type, NULL, MPI_ERR_TYPE);                                                                                 \
    REQUIRE(result, NULL, MPI_ERR_ARG)

int MPI_Type_size(MPI_Datatype type, int *size)
{
    CHECK_TYPE(type, size);
    *size = type->size > INT_MAX ? MPI_UNDEFINED : (int) type->size;
    return MPI_SUCCESS;
}

int MPI_Type_size_x(MPI_Datatype type, MPI_Count *size)
{
    CHECK_TYPE(type, size);
    *size = type->size;
    return MPI_SUCCESS;
}

/* A number of a type, if it has room in `number`: addresses wrap around, numbers of files do not. */
#define NUMBER(number, type, value)                                                                                    \
    ((type)->wide && (value) != (number) (value) ? (number) MPI_UNDEFINED : (number) (value))
#define EXTENTS(name, number, lower, upper)                                                                            \
    int MPI_Type_##name(MPI_Datatype type, number *lb, number *extent)                                                 \
    {                                                                                                                  \
        CHECK_TYPE(type, lb &&extent);                                                                                 \
        *lb = NUMBER(number, type, type->lower);                                                                       \
        *extent = NUMBER(number, type, type->upper - type->lower);                                                     \
        return MPI_SUCCESS;                                                                                            \
    }
EXTENTS(get_extent, MPI_Aint, lb, ub)
EXTENTS(get_extent_x, MPI_Count, lb, ub)
EXTENTS(get_true_extent, MPI_Aint, true_lb, true_ub)
EXTENTS(get_true_extent_x, MPI_Count, true_lb, true_ub)

#define BOUND(name, value)                                                                                             \
    int MPI_Type_##name(MPI_Datatype type, MPI_Aint *result)                                                           \
    {                                                                                                                  \
        CHECK_TYPE(type, result);                                                                                      \
        *result = NUMBER(MPI_Aint, type, value);                                                                       \
        return MPI_SUCCESS;                                                                                            \
    }
BOUND(extent, type_extent(type))
BOUND(lb, type->lb)
BOUND(ub, type->ub)

int MPI_Type_get_envelope(MPI_Datatype type, int *integers, int *addresses, int *types, int *combiner)
{
    CHECK_TYPE(type, integers &&addresses &&types &&combiner);
    *integers = type->integer_count;
    *addresses = type->address_count;
    *types = type->type_count;
    *combiner = type->combiner;
    return MPI_SUCCESS;
}

int MPI_Type_get_contents(MPI_Datatype type, int integer_room, int address_room, int type_room, int *integers,
                          MPI_Aint *addresses, MPI_Datatype *types)
{
    REQUIRE(type && type->combiner != MPI_COMBINER_NAMED, NULL, MPI_ERR_TYPE);
    bool fits = integer_room >= type->integer_count && address_room >= type->address_count &&
                type_room >= type->type_count;
    REQUIRE(fits, NULL, MPI_ERR_ARG);
    for (int i = 0; i < type->integer_count; i++) integers[i] = type->integers[i];
    for (int i = 0; i < type->address_count; i++) addresses[i] = type->addresses[i];
    for (int i = 0; i < type->type_count; i++) types[i] = type_hold(type->types[i]);
    return MPI_SUCCESS;
}

int MPI_Type_set_name(MPI_Datatype type, const char *name)
{
    CHECK_TYPE(type, name);
    strncpy(type->name, name, MPI_MAX_OBJECT_NAME - 1);
    return MPI_SUCCESS;
}

int MPI_Type_get_name(MPI_Datatype type, char *name, int *length)
{
    CHECK_TYPE(type, name &&length);
    strcpy(name, type->name);
    *length = (int) strlen(name);
    return MPI_SUCCESS;
}

/* ---- Status ---- */

int MPI_Get_count(const MPI_Status *status, MPI_Datatype type, int *count)
{
    CHECK_TYPE(type, status &&count);
    long long bytes = status->eco_bytes;
    if (type->size == 0)
        *count = bytes ? MPI_UNDEFINED : 0;
    else if (bytes % type->size || bytes / type->size > INT_MAX)
        *count = MPI_UNDEFINED;
    else
        *count = (int) (bytes / type->size);
    return MPI_SUCCESS;
}

int MPI_Get_elements_x(const MPI_Status *status, MPI_Datatype type, MPI_Count *count)
{
    CHECK_TYPE(type, status &&count);
    long long elements = layout_elements(type, status->eco_bytes);
    *count = elements < 0 ? MPI_UNDEFINED : elements;
    return MPI_SUCCESS;
}

int MPI_Get_elements(const MPI_Status *status, MPI_Datatype type, int *count)
{
    MPI_Count elements;
    CHECK_TYPE(type, status &&count);
    MPI_Get_elements_x(status, type, &elements);
    *count = elements > INT_MAX ? MPI_UNDEFINED : (int) elements;
    return MPI_SUCCESS;
}

int MPI_Status_set_elements_x(MPI_Status *status, MPI_Datatype type, MPI_Count count)
{
    CHECK_TYPE(type, status);
    long long each = type->elements ? type->elements : 1, bytes = count / each * type->size;
    /* A part of an element: add predefined ones until they are enough. */
    for (long long rest = count % each, more = 0; rest && more < type->size; more++)
        if (layout_elements(type, more) == rest) {
            bytes += more;
            break;
        }
    status->eco_bytes = bytes;
    return MPI_SUCCESS;
}

int MPI_Status_set_elements(MPI_Status *status, MPI_Datatype type, int count)
{
    return MPI_Status_set_elements_x(status, type, count);
}

int MPI_Status_set_cancelled(MPI_Status *status, int flag)
{
    REQUIRE(status, NULL, MPI_ERR_ARG);
    status->eco_cancelled = flag != 0;
    return MPI_SUCCESS;
}

int MPI_Test_cancelled(const MPI_Status *status, int *flag)
{
    REQUIRE(status && flag, NULL, MPI_ERR_ARG);
    *flag = status->eco_cancelled;
    return MPI_SUCCESS;
}

_Static_assert(sizeof(MPI_Status) == MPI_F_STATUS_SIZE * sizeof(MPI_Fint), "a status is an array of integers");

int MPI_Status_c2f(const MPI_Status *status, MPI_Fint *integers)
{
    REQUIRE(status && integers, NULL, MPI_ERR_ARG);
    memcpy(integers, status, sizeof *status);
    return MPI_SUCCESS;
}

int MPI_Status_f2c(const MPI_Fint *integers, MPI_Status *status)
{
    REQUIRE(status && integers, NULL, MPI_ERR_ARG);
    memcpy(status, integers, sizeof *status);
    return MPI_SUCCESS;
}

/* ---- Packing by hand ---- */

int MPI_Pack_size(int count, MPI_Datatype type, MPI_Comm comm, int *size)
{
    PASS(comm, check_comm(comm));
    REQUIRE(count >= 0, comm, MPI_ERR_COUNT);
    REQUIRE(type, comm, MPI_ERR_TYPE);
    REQUIRE(size, comm, MPI_ERR_ARG);
    REQUIRE(is_aint(count * type->size), comm, MPI_ERR_ARG);
    *size = (int) (count * type->size);
    return MPI_SUCCESS;
}

int MPI_Pack(const void *buffer, int count, MPI_Datatype type, void *packed, int room, int *position, MPI_Comm comm)
{
    PASS(comm, check_comm(comm));
    PASS(comm, check_data(buffer, count, type));
    REQUIRE(position, comm, MPI_ERR_ARG);
    size_t bytes = (size_t) count * type->size;
    REQUIRE(*position >= 0 && (long long) *position + (long long) bytes <= room, comm, MPI_ERR_TRUNCATE);
    *position += (int) layout_pack(buffer, count, type, (char *) packed + *position, bytes);
    return MPI_SUCCESS;
}

int MPI_Unpack(const void *packed, int room, int *position, void *buffer, int count, MPI_Datatype type, MPI_Comm comm)
{
    PASS(comm, check_comm(comm));
    PASS(comm, check_data(buffer, count, type));
    REQUIRE(position, comm, MPI_ERR_ARG);
    size_t bytes = (size_t) count * type->size;
    REQUIRE(*position >= 0 && (long long) *position + (long long) bytes <= room, comm, MPI_ERR_TRUNCATE);
    *position += (int) layout_unpack(buffer, count, type, (const char *) packed + *position, bytes);
    return MPI_SUCCESS;
}

/* ---- The portable representation "external32": big-endian, and every type has one size ---- */

/* Bytes of a predefined type in external32, where they differ from ours: 64-bit longs and addresses. */
static int external_size(const struct eco_type *type)
{
    if (type == MPI_LONG || type == MPI_UNSIGNED_LONG || type == MPI_AINT) return 8;
    if (type == MPI_WCHAR) return 2;
    return (int) type->size;
}

struct external {
    char *at; /* in the portable buffer; NULL: only measure */
    MPI_Aint used;
    bool packing;
};

static void swap_copy(char *to, const char *from, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = from[bytes - 1 - i];
}

static void external_basic(struct external *external, char *element, const struct eco_type *type)
{
    int wide = external_size(type), own = (int) type->size, shared = wide < own ? wide : own;
    int units = type->element_class == CLASS_COMPLEX ? 2 : 1;
    char *portable = external->at + external->used;
    external->used += wide;
    if (!external->at) return;
    if (units == 2) shared = wide = own = own / 2;
    for (int i = 0; i < units; i++, portable += wide, element += own) {
        if (!external->packing) {
            swap_copy(element, portable + wide - shared, shared);
            continue;
        }
        bool negative = type->element_class == CLASS_INTEGER && type != MPI_UNSIGNED_LONG && element[own - 1] < 0;
        memset(portable, negative ? 0xff : 0, (size_t) (wide - shared));
        swap_copy(portable + wide - shared, element, shared);
    }
}

static void external_walk(struct external *external, char *elements, int count, const struct eco_type *type)
{
    for (int i = 0; i < count; i++, elements += type_extent(type)) {
        if (type->part_count == 0) {
            external_basic(external, elements, type);
            continue;
        }
        for (int r = 0; r < type->repeats; r++)
            for (int p = 0; p < type->part_count; p++) {
                const struct part *part = &type->parts[p];
                external_walk(external, elements + r * type->stride + part->offset, part->blocks, part->type);
            }
    }
}

static bool is_external32(const char *name) { return name && !strcmp(name, "external32"); }

int MPI_Pack_external_size(const char *representation, int count, MPI_Datatype type, MPI_Aint *size)
{
    CHECK_TYPE(type, size &&is_external32(representation));
    REQUIRE(!type->wide, NULL, MPI_ERR_TYPE);
    struct external external = {0};
    external_walk(&external, NULL, 1, type);
    *size = external.used * count;
    return MPI_SUCCESS;
}

static int external_move(const void *buffer, int count, MPI_Datatype type, const void *portable, MPI_Aint room,
                         MPI_Aint *position, bool packing)
{
    MPI_Aint needed;
    MPI_Pack_external_size("external32", count, type, &needed);
    if (*position + needed > room) return MPI_ERR_TRUNCATE;
    struct external external = {.at = (char *) portable + *position, .packing = packing};
    external_walk(&external, (char *) buffer, count, type);
    *position += external.used;
    return MPI_SUCCESS;
}

int MPI_Pack_external(const char *representation, const void *buffer, int count, MPI_Datatype type, void *packed,
                      MPI_Aint room, MPI_Aint *position)
{
    CHECK_TYPE(type, position &&is_external32(representation));
    PASS(NULL, check_data(buffer, count, type));
    PASS(NULL, external_move(buffer, count, type, packed, room, position, true));
    return MPI_SUCCESS;
}

int MPI_Unpack_external(const char *representation, const void *packed, MPI_Aint room, MPI_Aint *position,
                        void *buffer, int count, MPI_Datatype type)
{
    CHECK_TYPE(type, position &&is_external32(representation));
    PASS(NULL, check_data(buffer, count, type));
    PASS(NULL, external_move(buffer, count, type, packed, room, position, false));
    return MPI_SUCCESS;
}
