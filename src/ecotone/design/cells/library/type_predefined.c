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

PREDEFINED(byte, "MPI_BYTE", char, CLASS_BYTE, &reduction_byte)
PREDEFINED(packed, "MPI_PACKED", char, CLASS_NONE, NULL)
PREDEFINED(wchar, "MPI_WCHAR", wchar_t, CLASS_NONE, NULL)
PREDEFINED(character, "MPI_CHARACTER", char, CLASS_NONE, NULL)

#define INTEGER(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_INTEGER, &reduction_##symbol)
ECO_INTEGERS(INTEGER)
#define FLOATING(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_REAL, &reduction_##symbol)
ECO_REALS(FLOATING)
#define COMPLEX(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_COMPLEX, &reduction_##symbol)
ECO_COMPLEXES(COMPLEX)
#define LOGICAL(symbol, label, ctype) PREDEFINED(symbol, label, ctype, CLASS_LOGICAL, &reduction_##symbol)
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
        .reduction = &reduction_##symbol,                                                                              \
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
