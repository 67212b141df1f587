/* The predefined datatypes. */
#include "internal.h"

#include <complex.h>
#include <stdbool.h>
#include <wchar.h>

#include "reduction.h"

#define PREDEFINED(symbol, label, ctype, klass, table)                                                                 \
    struct eco_type eco_type_##symbol = {                                                                              \
        .committed = true,                                                                                             \
        .dense = true,                                                                                                 \
        .whole = true,                                                                                                 \
        .align = _Alignof(ctype),                                                                                      \
        .size = sizeof(ctype),                                                                                         \
        .ub = sizeof(ctype),                                                                                           \
        .true_ub = sizeof(ctype),                                                                                      \
        .elements = 1,                                                                                                 \
        .combiner = MPI_COMBINER_NAMED,                                                                                \
        .element_class = klass,                                                                                        \
        .reduction = table,                                                                                            \
        .name = label,                                                                                                 \
    };

PREDEFINED(byte, "MPI_BYTE", char, CLASS_BYTE, &eco_reduction_byte)
PREDEFINED(packed, "MPI_PACKED", char, CLASS_NONE, NULL)
PREDEFINED(wchar, "MPI_WCHAR", wchar_t, CLASS_NONE, NULL)
PREDEFINED(character, "MPI_CHARACTER", char, CLASS_NONE, NULL)

#define INTEGER(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_INTEGER, &eco_reduction_##symbol)
ECO_INTEGERS(INTEGER)
#define FLOATING(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_REAL, &eco_reduction_##symbol)
ECO_REALS(FLOATING)
#define COMPLEX(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_COMPLEX, &eco_reduction_##symbol)
ECO_COMPLEXES(COMPLEX)
#define LOGICAL(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_LOGICAL, &eco_reduction_##symbol)
ECO_LOGICALS(LOGICAL)

/* A value and an index. The two members are parts, so that the gap between or behind them is not sent. */
#define PAIR(symbol, label, ctype, first_type, itype, second_type)                                                     \
    static struct part parts_##symbol[2] = {                                                                           \
        {offsetof(struct pair_##symbol, value), 1, &first_type},                                                       \
        {offsetof(struct pair_##symbol, index), 1, &second_type},                                                      \
    };                                                                                                                 \
    struct eco_type eco_type_##symbol = {                                                                              \
        .committed = true,                                                                                             \
        .dense = offsetof(struct pair_##symbol, index) == sizeof(ctype),                                               \
        .whole = sizeof(struct pair_##symbol) == sizeof(ctype) + sizeof(itype),                                        \
        .align = _Alignof(struct pair_##symbol),                                                                       \
        .size = sizeof(ctype) + sizeof(itype),                                                                         \
        .ub = sizeof(struct pair_##symbol),                                                                            \
        .true_ub = offsetof(struct pair_##symbol, index) + sizeof(itype),                                              \
        .elements = 2,                                                                                                 \
        .repeats = 1,                                                                                                  \
        .part_count = 2,                                                                                               \
        .parts = parts_##symbol,                                                                                       \
        .combiner = MPI_COMBINER_NAMED,                                                                                \
        .element_class = CLASS_PAIR,                                                                                   \
        .reduction = &eco_reduction_##symbol,                                                                              \
        .name = label,                                                                                                 \
    };
ECO_PAIRS(PAIR)

/* Markers of bounds, from before MPI-2: no data, but a place. */
#define MARKER(symbol, label, lower, upper)                                                                            \
    struct eco_type eco_type_##symbol = {                                                                              \
        .committed = true,                                                                                             \
        .dense = true,                                                                                                 \
        .whole = true,                                                                                                 \
        .align = 1,                                                                                                    \
        .lower_set = lower,                                                                                            \
        .upper_set = upper,                                                                                            \
        .combiner = MPI_COMBINER_NAMED,                                                                                \
        .name = label,                                                                                                 \
    };
MARKER(lb, "MPI_LB", true, false)
MARKER(ub, "MPI_UB", false, true)

/* ---- By size ---- */

static MPI_Datatype match(MPI_Datatype const *candidates, int size)
{
    for (; *candidates; candidates++)
        if ((*candidates)->size == size) return *candidates;
    return MPI_DATATYPE_NULL;
}

int MPI_Type_match_size(int type_class, int size, MPI_Datatype *type)
{
    static MPI_Datatype const reals[] = {MPI_REAL4, MPI_REAL8, MPI_REAL16, NULL};
    static MPI_Datatype const integers[] = {MPI_INTEGER1, MPI_INTEGER2, MPI_INTEGER4, MPI_INTEGER8, MPI_INTEGER16, NULL};
    static MPI_Datatype const complexes[] = {MPI_COMPLEX8, MPI_COMPLEX16, MPI_COMPLEX32, NULL};
    REQUIRE(type, NULL, MPI_ERR_ARG);
    switch (type_class) {
    case MPI_TYPECLASS_REAL: *type = match(reals, size); break;
    case MPI_TYPECLASS_INTEGER: *type = match(integers, size); break;
    case MPI_TYPECLASS_COMPLEX: *type = match(complexes, size); break;
    default: FAIL(NULL, MPI_ERR_ARG);
    }
    REQUIRE(*type, NULL, MPI_ERR_ARG);
    return MPI_SUCCESS;
}

/* ---- By precision, as Fortran's selected kinds are. The same question gets the same type, which is never freed. ---- */

struct selected {
    struct selected *next;
    int combiner, digits, range;
    struct eco_type *type;
};

static struct eco_type *selected_type(int combiner, int digits, int range, struct eco_type *base)
{
    static struct selected *known;
    for (struct selected *entry = known; entry; entry = entry->next)
        if (entry->combiner == combiner && entry->digits == digits && entry->range == range) return entry->type;
    struct selected *entry = eco_allocate(sizeof *entry);
    struct part part = {0, 1, base};
    *entry = (struct selected){known, combiner, digits, range, type_parts(1, &part)};
    entry->type->committed = true;
    entry->type->reduction = base->reduction;
    entry->type->element_class = base->element_class;
    bool integer = combiner == MPI_COMBINER_F90_INTEGER;
    type_record(entry->type, combiner, integer ? 1 : 2, integer ? &range : (int[]){digits, range}, 0, NULL, 0, NULL);
    known = entry;
    return entry->type;
}

/* The smallest of types whose digits and exponents are at least those: `undefined` asks for nothing. */
static int smallest_real(int digits, int range)
{
    static const int most[3][2] = {{6, 37}, {15, 307}, {33, 4931}};
    for (int i = 0; i < 3; i++)
        if ((digits == MPI_UNDEFINED || digits <= most[i][0]) && (range == MPI_UNDEFINED || range <= most[i][1]))
            return i;
    return -1;
}

static int check_selection(int digits, int range, const void *type)
{
    bool good = (digits >= 0 || digits == MPI_UNDEFINED) && (range >= 0 || range == MPI_UNDEFINED);
    bool asked = digits != MPI_UNDEFINED || range != MPI_UNDEFINED;
    return type && good && asked && smallest_real(digits, range) >= 0 ? MPI_SUCCESS : MPI_ERR_ARG;
}

int MPI_Type_create_f90_real(int digits, int range, MPI_Datatype *type)
{
    static MPI_Datatype const types[] = {MPI_REAL4, MPI_REAL8, MPI_REAL16};
    PASS(NULL, check_selection(digits, range, type));
    *type = selected_type(MPI_COMBINER_F90_REAL, digits, range, types[smallest_real(digits, range)]);
    return MPI_SUCCESS;
}

int MPI_Type_create_f90_complex(int digits, int range, MPI_Datatype *type)
{
    static MPI_Datatype const types[] = {MPI_COMPLEX8, MPI_COMPLEX16, MPI_COMPLEX32};
    PASS(NULL, check_selection(digits, range, type));
    *type = selected_type(MPI_COMBINER_F90_COMPLEX, digits, range, types[smallest_real(digits, range)]);
    return MPI_SUCCESS;
}

int MPI_Type_create_f90_integer(int range, MPI_Datatype *type)
{
    static const int most[] = {2, 4, 9, 18, 38};
    static MPI_Datatype const types[] = {MPI_INTEGER1, MPI_INTEGER2, MPI_INTEGER4, MPI_INTEGER8, MPI_INTEGER16};
    int which = 0;
    REQUIRE(type && range >= 0 && range <= most[4], NULL, MPI_ERR_ARG);
    while (range > most[which]) which++;
    *type = selected_type(MPI_COMBINER_F90_INTEGER, 0, range, types[which]);
    return MPI_SUCCESS;
}
