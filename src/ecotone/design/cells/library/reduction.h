/* The types that built-in operators know, by family; used to define both the types and the operators' loops. */
#ifndef ECO_REDUCTION_H
#define ECO_REDUCTION_H

#include "internal.h"

enum builtin {
    OP_MAX, OP_MIN, OP_SUM, OP_PROD, OP_LAND, OP_BAND, OP_LOR, OP_BOR, OP_LXOR, OP_BXOR, OP_MAXLOC, OP_MINLOC,
    OP_REPLACE, OP_NO_OP, OP_COUNT
};

/* inout[i] = in[i] op inout[i]; NULL where the standard has no such operation. */
typedef void reduction_loop(const void *in, void *inout, int count);
struct reduction {
    reduction_loop *loops[OP_COUNT];
};

/* MPI_CHAR is text, which the standard does not reduce; every implementation does, and programs rely on it. */
#define ECO_INTEGERS(X)                                                                                                \
    X(char, "MPI_CHAR", char)                                                                                          \
    X(schar, "MPI_SIGNED_CHAR", signed char)                                                                           \
    X(uchar, "MPI_UNSIGNED_CHAR", unsigned char)                                                                       \
    X(short, "MPI_SHORT", short)                                                                                       \
    X(ushort, "MPI_UNSIGNED_SHORT", unsigned short)                                                                    \
    X(int, "MPI_INT", int)                                                                                             \
    X(unsigned, "MPI_UNSIGNED", unsigned)                                                                              \
    X(long, "MPI_LONG", long)                                                                                          \
    X(ulong, "MPI_UNSIGNED_LONG", unsigned long)                                                                       \
    X(llong, "MPI_LONG_LONG_INT", long long)                                                                           \
    X(ullong, "MPI_UNSIGNED_LONG_LONG", unsigned long long)                                                            \
    X(int8, "MPI_INT8_T", int8_t)                                                                                      \
    X(int16, "MPI_INT16_T", int16_t)                                                                                   \
    X(int32, "MPI_INT32_T", int32_t)                                                                                   \
    X(int64, "MPI_INT64_T", int64_t)                                                                                   \
    X(uint8, "MPI_UINT8_T", uint8_t)                                                                                   \
    X(uint16, "MPI_UINT16_T", uint16_t)                                                                                \
    X(uint32, "MPI_UINT32_T", uint32_t)                                                                                \
    X(uint64, "MPI_UINT64_T", uint64_t)                                                                                \
    X(aint, "MPI_AINT", MPI_Aint)                                                                                      \
    X(count, "MPI_COUNT", MPI_Count)                                                                                   \
    X(offset, "MPI_OFFSET", MPI_Offset)                                                                                \
    X(integer, "MPI_INTEGER", MPI_Fint)                                                                                \
    X(integer1, "MPI_INTEGER1", int8_t)                                                                                \
    X(integer2, "MPI_INTEGER2", int16_t)                                                                               \
    X(integer4, "MPI_INTEGER4", int32_t)                                                                               \
    X(integer8, "MPI_INTEGER8", int64_t)                                                                               \
    X(integer16, "MPI_INTEGER16", __int128)

#define ECO_REALS(X)                                                                                                   \
    X(float, "MPI_FLOAT", float)                                                                                       \
    X(double, "MPI_DOUBLE", double)                                                                                    \
    X(ldouble, "MPI_LONG_DOUBLE", long double)                                                                         \
    X(real, "MPI_REAL", float)                                                                                         \
    X(dprecision, "MPI_DOUBLE_PRECISION", double)                                                                      \
    X(real4, "MPI_REAL4", float)                                                                                       \
    X(real8, "MPI_REAL8", double)                                                                                      \
    X(real16, "MPI_REAL16", long double)

#define ECO_COMPLEXES(X)                                                                                               \
    X(cfloat, "MPI_C_COMPLEX", float _Complex)                                                                         \
    X(cdouble, "MPI_C_DOUBLE_COMPLEX", double _Complex)                                                                \
    X(cldouble, "MPI_C_LONG_DOUBLE_COMPLEX", long double _Complex)                                                     \
    X(cxx_cfloat, "MPI_CXX_FLOAT_COMPLEX", float _Complex)                                                             \
    X(cxx_cdouble, "MPI_CXX_DOUBLE_COMPLEX", double _Complex)                                                          \
    X(cxx_cldouble, "MPI_CXX_LONG_DOUBLE_COMPLEX", long double _Complex)                                               \
    X(complex, "MPI_COMPLEX", float _Complex)                                                                          \
    X(dcomplex, "MPI_DOUBLE_COMPLEX", double _Complex)                                                                 \
    X(complex8, "MPI_COMPLEX8", float _Complex)                                                                        \
    X(complex16, "MPI_COMPLEX16", double _Complex)                                                                     \
    X(complex32, "MPI_COMPLEX32", long double _Complex)

#define ECO_LOGICALS(X)                                                                                                \
    X(c_bool, "MPI_C_BOOL", _Bool)                                                                                     \
    X(cxx_bool, "MPI_CXX_BOOL", _Bool)                                                                                 \
    X(logical, "MPI_LOGICAL", int)

#define ECO_PAIRS(X)                                                                                                   \
    X(float_int, "MPI_FLOAT_INT", float, eco_type_float, int, eco_type_int)                                            \
    X(double_int, "MPI_DOUBLE_INT", double, eco_type_double, int, eco_type_int)                                        \
    X(long_int, "MPI_LONG_INT", long, eco_type_long, int, eco_type_int)                                                \
    X(short_int, "MPI_SHORT_INT", short, eco_type_short, int, eco_type_int)                                            \
    X(2int, "MPI_2INT", int, eco_type_int, int, eco_type_int)                                                          \
    X(ldouble_int, "MPI_LONG_DOUBLE_INT", long double, eco_type_ldouble, int, eco_type_int)                            \
    X(2integer, "MPI_2INTEGER", MPI_Fint, eco_type_integer, MPI_Fint, eco_type_integer)                                \
    X(2real, "MPI_2REAL", float, eco_type_real, float, eco_type_real)                                                  \
    X(2dprecision, "MPI_2DOUBLE_PRECISION", double, eco_type_dprecision, double, eco_type_dprecision)

#define ECO_DECLARE(symbol, ...) extern const struct reduction eco_reduction_##symbol;
ECO_INTEGERS(ECO_DECLARE)
ECO_REALS(ECO_DECLARE)
ECO_COMPLEXES(ECO_DECLARE)
ECO_LOGICALS(ECO_DECLARE)
ECO_PAIRS(ECO_DECLARE)
extern const struct reduction eco_reduction_byte;
#undef ECO_DECLARE

#define ECO_DECLARE_PAIR(symbol, label, ctype, first, itype, second)                                                   \
    struct pair_##symbol {                                                                                             \
        ctype value;                                                                                                   \
        itype index;                                                                                                   \
    };
ECO_PAIRS(ECO_DECLARE_PAIR)
#undef ECO_DECLARE_PAIR

#endif
