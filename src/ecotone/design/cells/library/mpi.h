/* MPI 3.1 for cells: the C interface. Everything behind it lives in the cell's own memory.
 *
 * Handles are pointers to structures of the library, so that a compiler tells one kind from another. What is missing
 * here is missing in the library: a program that uses it fails to build, by name. */
#ifndef ECOTONE_MPI_H
#define ECOTONE_MPI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MPI_VERSION 3
#define MPI_SUBVERSION 1
#define ECOTONE_MPI 1

typedef struct eco_comm *MPI_Comm;
typedef struct eco_group *MPI_Group;
typedef struct eco_type *MPI_Datatype;
typedef struct eco_op *MPI_Op;
typedef struct eco_request *MPI_Request;
typedef struct eco_message *MPI_Message;
typedef struct eco_info *MPI_Info;
typedef struct eco_errhandler *MPI_Errhandler;
typedef struct eco_win *MPI_Win;
typedef struct eco_file *MPI_File;

typedef long MPI_Aint;
typedef long long MPI_Count;
typedef long long MPI_Offset;
typedef int MPI_Fint;

typedef struct MPI_Status {
    int MPI_SOURCE;
    int MPI_TAG;
    int MPI_ERROR;
    int eco_cancelled;
    long long eco_bytes;
} MPI_Status;

/* Statuses as Fortran's arrays of integers are */
#define MPI_F_STATUS_SIZE 6
#define MPI_F_STATUS_IGNORE ((MPI_Fint *) 0)
#define MPI_F_STATUSES_IGNORE ((MPI_Fint *) 0)
#define MPI_STATUS_IGNORE ((MPI_Status *) 0)
#define MPI_STATUSES_IGNORE ((MPI_Status *) 0)
#define MPI_ERRCODES_IGNORE ((int *) 0)
#define MPI_BOTTOM ((void *) 0)
#define MPI_IN_PLACE ((void *) -1)
#define MPI_UNWEIGHTED ((int *) -2)
#define MPI_WEIGHTS_EMPTY ((int *) -3)
#define MPI_ARGV_NULL ((char **) 0)

#define MPI_PROC_NULL (-1)
#define MPI_ANY_SOURCE (-2)
#define MPI_ROOT (-3)
#define MPI_ANY_TAG (-1)
#define MPI_UNDEFINED (-32766)
#define MPI_KEYVAL_INVALID 0

#define MPI_MAX_PROCESSOR_NAME 128
#define MPI_MAX_LIBRARY_VERSION_STRING 256
#define MPI_MAX_ERROR_STRING 256
#define MPI_MAX_OBJECT_NAME 128
#define MPI_MAX_INFO_KEY 255
#define MPI_MAX_INFO_VAL 1024
#define MPI_MAX_PORT_NAME 256
#define MPI_MAX_DATAREP_STRING 128
#define MPI_BSEND_OVERHEAD 64

enum { MPI_IDENT, MPI_CONGRUENT, MPI_SIMILAR, MPI_UNEQUAL };
enum { MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED, MPI_THREAD_MULTIPLE };
enum { MPI_GRAPH = 1, MPI_CART, MPI_DIST_GRAPH };
enum { MPI_COMM_TYPE_SHARED = 1 };
enum { MPI_WIN_FLAVOR_CREATE = 1, MPI_WIN_FLAVOR_ALLOCATE, MPI_WIN_FLAVOR_DYNAMIC, MPI_WIN_FLAVOR_SHARED };
enum { MPI_WIN_SEPARATE = 1, MPI_WIN_UNIFIED };
enum { MPI_LOCK_EXCLUSIVE = 234, MPI_LOCK_SHARED };
enum {
    MPI_MODE_NOCHECK = 1024,
    MPI_MODE_NOSTORE = 2048,
    MPI_MODE_NOPUT = 4096,
    MPI_MODE_NOPRECEDE = 8192,
    MPI_MODE_NOSUCCEED = 16384
};
enum {
    MPI_MODE_RDONLY = 2,
    MPI_MODE_RDWR = 8,
    MPI_MODE_WRONLY = 4,
    MPI_MODE_CREATE = 1,
    MPI_MODE_EXCL = 64,
    MPI_MODE_DELETE_ON_CLOSE = 16,
    MPI_MODE_UNIQUE_OPEN = 32,
    MPI_MODE_SEQUENTIAL = 256,
    MPI_MODE_APPEND = 128
};
enum { MPI_SEEK_SET = 600, MPI_SEEK_CUR, MPI_SEEK_END };
#define MPI_DISPLACEMENT_CURRENT (-54278278LL)
enum { MPI_ORDER_C = 56, MPI_ORDER_FORTRAN };
enum { MPI_DISTRIBUTE_BLOCK = 121, MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_NONE };
#define MPI_DISTRIBUTE_DFLT_DARG (-49767)
enum { MPI_TYPECLASS_REAL = 1, MPI_TYPECLASS_INTEGER, MPI_TYPECLASS_COMPLEX };

enum {
    MPI_COMBINER_NAMED = 1,
    MPI_COMBINER_DUP,
    MPI_COMBINER_CONTIGUOUS,
    MPI_COMBINER_VECTOR,
    MPI_COMBINER_HVECTOR,
    MPI_COMBINER_INDEXED,
    MPI_COMBINER_HINDEXED,
    MPI_COMBINER_INDEXED_BLOCK,
    MPI_COMBINER_HINDEXED_BLOCK,
    MPI_COMBINER_STRUCT,
    MPI_COMBINER_SUBARRAY,
    MPI_COMBINER_DARRAY,
    MPI_COMBINER_RESIZED,
    MPI_COMBINER_F90_REAL,
    MPI_COMBINER_F90_COMPLEX,
    MPI_COMBINER_F90_INTEGER,
    MPI_COMBINER_HVECTOR_INTEGER,
    MPI_COMBINER_HINDEXED_INTEGER,
    MPI_COMBINER_STRUCT_INTEGER
};

/* Error classes of the standard, in its order. */
enum {
    MPI_SUCCESS,
    MPI_ERR_BUFFER,
    MPI_ERR_COUNT,
    MPI_ERR_TYPE,
    MPI_ERR_TAG,
    MPI_ERR_COMM,
    MPI_ERR_RANK,
    MPI_ERR_REQUEST,
    MPI_ERR_ROOT,
    MPI_ERR_GROUP,
    MPI_ERR_OP,
    MPI_ERR_TOPOLOGY,
    MPI_ERR_DIMS,
    MPI_ERR_ARG,
    MPI_ERR_UNKNOWN,
    MPI_ERR_TRUNCATE,
    MPI_ERR_OTHER,
    MPI_ERR_INTERN,
    MPI_ERR_PENDING,
    MPI_ERR_IN_STATUS,
    MPI_ERR_ACCESS,
    MPI_ERR_AMODE,
    MPI_ERR_ASSERT,
    MPI_ERR_BAD_FILE,
    MPI_ERR_BASE,
    MPI_ERR_CONVERSION,
    MPI_ERR_DISP,
    MPI_ERR_DUP_DATAREP,
    MPI_ERR_FILE_EXISTS,
    MPI_ERR_FILE_IN_USE,
    MPI_ERR_FILE,
    MPI_ERR_INFO_KEY,
    MPI_ERR_INFO_NOKEY,
    MPI_ERR_INFO_VALUE,
    MPI_ERR_INFO,
    MPI_ERR_IO,
    MPI_ERR_KEYVAL,
    MPI_ERR_LOCKTYPE,
    MPI_ERR_NAME,
    MPI_ERR_NO_MEM,
    MPI_ERR_NOT_SAME,
    MPI_ERR_NO_SPACE,
    MPI_ERR_NO_SUCH_FILE,
    MPI_ERR_PORT,
    MPI_ERR_QUOTA,
    MPI_ERR_READ_ONLY,
    MPI_ERR_RMA_CONFLICT,
    MPI_ERR_RMA_SYNC,
    MPI_ERR_SERVICE,
    MPI_ERR_SIZE,
    MPI_ERR_SPAWN,
    MPI_ERR_UNSUPPORTED_DATAREP,
    MPI_ERR_UNSUPPORTED_OPERATION,
    MPI_ERR_WIN,
    MPI_ERR_RMA_RANGE,
    MPI_ERR_RMA_ATTACH,
    MPI_ERR_RMA_SHARED,
    MPI_ERR_RMA_FLAVOR,
    /* of the tool interface */
    MPI_T_ERR_NOT_INITIALIZED = 64,
    MPI_T_ERR_MEMORY,
    MPI_T_ERR_CANNOT_INIT,
    MPI_T_ERR_INVALID,
    MPI_T_ERR_INVALID_INDEX,
    MPI_T_ERR_INVALID_ITEM,
    MPI_T_ERR_INVALID_HANDLE,
    MPI_T_ERR_INVALID_SESSION,
    MPI_T_ERR_INVALID_NAME,
    MPI_T_ERR_OUT_OF_HANDLES,
    MPI_T_ERR_OUT_OF_SESSIONS,
    MPI_T_ERR_CVAR_SET_NOT_NOW,
    MPI_T_ERR_CVAR_SET_NEVER,
    MPI_T_ERR_PVAR_NO_STARTSTOP,
    MPI_T_ERR_PVAR_NO_WRITE,
    MPI_T_ERR_PVAR_NO_ATOMIC,
    MPI_ERR_LASTCODE = 127
};

/* Keys of the attributes that every communicator has. */
enum {
    MPI_TAG_UB = 1,
    MPI_HOST,
    MPI_IO,
    MPI_WTIME_IS_GLOBAL,
    MPI_UNIVERSE_SIZE,
    MPI_LASTUSEDCODE,
    MPI_APPNUM,
    MPI_WIN_BASE,
    MPI_WIN_SIZE,
    MPI_WIN_DISP_UNIT,
    MPI_WIN_CREATE_FLAVOR,
    MPI_WIN_MODEL
};

#define MPI_COMM_NULL ((MPI_Comm) 0)
#define MPI_GROUP_NULL ((MPI_Group) 0)
#define MPI_DATATYPE_NULL ((MPI_Datatype) 0)
#define MPI_OP_NULL ((MPI_Op) 0)
#define MPI_REQUEST_NULL ((MPI_Request) 0)
#define MPI_MESSAGE_NULL ((MPI_Message) 0)
#define MPI_INFO_NULL ((MPI_Info) 0)
#define MPI_ERRHANDLER_NULL ((MPI_Errhandler) 0)
#define MPI_WIN_NULL ((MPI_Win) 0)
#define MPI_FILE_NULL ((MPI_File) 0)

extern struct eco_comm eco_comm_world, eco_comm_self;
#define MPI_COMM_WORLD (&eco_comm_world)
#define MPI_COMM_SELF (&eco_comm_self)
extern struct eco_group eco_group_empty;
#define MPI_GROUP_EMPTY (&eco_group_empty)
extern struct eco_message eco_message_no_proc;
#define MPI_MESSAGE_NO_PROC (&eco_message_no_proc)
extern struct eco_info eco_info_env;
#define MPI_INFO_ENV (&eco_info_env)
extern struct eco_errhandler eco_errors_are_fatal, eco_errors_return;
#define MPI_ERRORS_ARE_FATAL (&eco_errors_are_fatal)
#define MPI_ERRORS_RETURN (&eco_errors_return)

extern struct eco_op eco_op_max, eco_op_min, eco_op_sum, eco_op_prod, eco_op_land, eco_op_band, eco_op_lor, eco_op_bor,
    eco_op_lxor, eco_op_bxor, eco_op_maxloc, eco_op_minloc, eco_op_replace, eco_op_no_op;
#define MPI_MAX (&eco_op_max)
#define MPI_MIN (&eco_op_min)
#define MPI_SUM (&eco_op_sum)
#define MPI_PROD (&eco_op_prod)
#define MPI_LAND (&eco_op_land)
#define MPI_BAND (&eco_op_band)
#define MPI_LOR (&eco_op_lor)
#define MPI_BOR (&eco_op_bor)
#define MPI_LXOR (&eco_op_lxor)
#define MPI_BXOR (&eco_op_bxor)
#define MPI_MAXLOC (&eco_op_maxloc)
#define MPI_MINLOC (&eco_op_minloc)
#define MPI_REPLACE (&eco_op_replace)
#define MPI_NO_OP (&eco_op_no_op)

/* Predefined types. Fortran's names are those of the C types of the same size: a cell has no Fortran compiler, but
 * its files and its C programs may speak of them. */
#define ECO_EXTERN_TYPE(name) extern struct eco_type eco_type_##name;
ECO_EXTERN_TYPE(char) ECO_EXTERN_TYPE(schar) ECO_EXTERN_TYPE(uchar) ECO_EXTERN_TYPE(byte) ECO_EXTERN_TYPE(packed)
ECO_EXTERN_TYPE(short) ECO_EXTERN_TYPE(ushort) ECO_EXTERN_TYPE(int) ECO_EXTERN_TYPE(unsigned) ECO_EXTERN_TYPE(long)
ECO_EXTERN_TYPE(ulong) ECO_EXTERN_TYPE(llong) ECO_EXTERN_TYPE(ullong) ECO_EXTERN_TYPE(float) ECO_EXTERN_TYPE(double)
ECO_EXTERN_TYPE(ldouble) ECO_EXTERN_TYPE(wchar) ECO_EXTERN_TYPE(c_bool) ECO_EXTERN_TYPE(int8) ECO_EXTERN_TYPE(int16)
ECO_EXTERN_TYPE(int32) ECO_EXTERN_TYPE(int64) ECO_EXTERN_TYPE(uint8) ECO_EXTERN_TYPE(uint16) ECO_EXTERN_TYPE(uint32)
ECO_EXTERN_TYPE(uint64) ECO_EXTERN_TYPE(aint) ECO_EXTERN_TYPE(count) ECO_EXTERN_TYPE(offset)
ECO_EXTERN_TYPE(cfloat) ECO_EXTERN_TYPE(cdouble) ECO_EXTERN_TYPE(cldouble) ECO_EXTERN_TYPE(cxx_bool)
ECO_EXTERN_TYPE(cxx_cfloat) ECO_EXTERN_TYPE(cxx_cdouble) ECO_EXTERN_TYPE(cxx_cldouble) ECO_EXTERN_TYPE(float_int)
ECO_EXTERN_TYPE(double_int) ECO_EXTERN_TYPE(long_int) ECO_EXTERN_TYPE(short_int) ECO_EXTERN_TYPE(2int)
ECO_EXTERN_TYPE(ldouble_int) ECO_EXTERN_TYPE(lb) ECO_EXTERN_TYPE(ub) ECO_EXTERN_TYPE(character) ECO_EXTERN_TYPE(logical)
ECO_EXTERN_TYPE(integer) ECO_EXTERN_TYPE(real) ECO_EXTERN_TYPE(dprecision) ECO_EXTERN_TYPE(complex)
ECO_EXTERN_TYPE(dcomplex) ECO_EXTERN_TYPE(2integer) ECO_EXTERN_TYPE(2real) ECO_EXTERN_TYPE(2dprecision)
ECO_EXTERN_TYPE(integer1) ECO_EXTERN_TYPE(integer2) ECO_EXTERN_TYPE(integer4) ECO_EXTERN_TYPE(integer8)
ECO_EXTERN_TYPE(real4) ECO_EXTERN_TYPE(real8) ECO_EXTERN_TYPE(complex8) ECO_EXTERN_TYPE(complex16) ECO_EXTERN_TYPE(integer16)
ECO_EXTERN_TYPE(real16) ECO_EXTERN_TYPE(complex32)
#undef ECO_EXTERN_TYPE

#define MPI_CHAR (&eco_type_char)
#define MPI_SIGNED_CHAR (&eco_type_schar)
#define MPI_UNSIGNED_CHAR (&eco_type_uchar)
#define MPI_BYTE (&eco_type_byte)
#define MPI_PACKED (&eco_type_packed)
#define MPI_SHORT (&eco_type_short)
#define MPI_UNSIGNED_SHORT (&eco_type_ushort)
#define MPI_INT (&eco_type_int)
#define MPI_UNSIGNED (&eco_type_unsigned)
#define MPI_LONG (&eco_type_long)
#define MPI_UNSIGNED_LONG (&eco_type_ulong)
#define MPI_LONG_LONG (&eco_type_llong)
#define MPI_LONG_LONG_INT MPI_LONG_LONG
#define MPI_UNSIGNED_LONG_LONG (&eco_type_ullong)
#define MPI_FLOAT (&eco_type_float)
#define MPI_DOUBLE (&eco_type_double)
#define MPI_LONG_DOUBLE (&eco_type_ldouble)
#define MPI_WCHAR (&eco_type_wchar)
#define MPI_C_BOOL (&eco_type_c_bool)
#define MPI_INT8_T (&eco_type_int8)
#define MPI_INT16_T (&eco_type_int16)
#define MPI_INT32_T (&eco_type_int32)
#define MPI_INT64_T (&eco_type_int64)
#define MPI_UINT8_T (&eco_type_uint8)
#define MPI_UINT16_T (&eco_type_uint16)
#define MPI_UINT32_T (&eco_type_uint32)
#define MPI_UINT64_T (&eco_type_uint64)
#define MPI_AINT (&eco_type_aint)
#define MPI_COUNT (&eco_type_count)
#define MPI_OFFSET (&eco_type_offset)
#define MPI_C_COMPLEX (&eco_type_cfloat)
#define MPI_C_FLOAT_COMPLEX MPI_C_COMPLEX
#define MPI_C_DOUBLE_COMPLEX (&eco_type_cdouble)
#define MPI_C_LONG_DOUBLE_COMPLEX (&eco_type_cldouble)
#define MPI_CXX_BOOL (&eco_type_cxx_bool)
#define MPI_CXX_FLOAT_COMPLEX (&eco_type_cxx_cfloat)
#define MPI_CXX_DOUBLE_COMPLEX (&eco_type_cxx_cdouble)
#define MPI_CXX_LONG_DOUBLE_COMPLEX (&eco_type_cxx_cldouble)
#define MPI_FLOAT_INT (&eco_type_float_int)
#define MPI_DOUBLE_INT (&eco_type_double_int)
#define MPI_LONG_INT (&eco_type_long_int)
#define MPI_SHORT_INT (&eco_type_short_int)
#define MPI_2INT (&eco_type_2int)
#define MPI_LONG_DOUBLE_INT (&eco_type_ldouble_int)
#define MPI_LB (&eco_type_lb)
#define MPI_UB (&eco_type_ub)
#define MPI_CHARACTER (&eco_type_character)
#define MPI_LOGICAL (&eco_type_logical)
#define MPI_INTEGER (&eco_type_integer)
#define MPI_REAL (&eco_type_real)
#define MPI_DOUBLE_PRECISION (&eco_type_dprecision)
#define MPI_COMPLEX (&eco_type_complex)
#define MPI_DOUBLE_COMPLEX (&eco_type_dcomplex)
#define MPI_2INTEGER (&eco_type_2integer)
#define MPI_2REAL (&eco_type_2real)
#define MPI_2DOUBLE_PRECISION (&eco_type_2dprecision)
#define MPI_INTEGER1 (&eco_type_integer1)
#define MPI_INTEGER2 (&eco_type_integer2)
#define MPI_INTEGER4 (&eco_type_integer4)
#define MPI_INTEGER8 (&eco_type_integer8)
#define MPI_INTEGER16 (&eco_type_integer16)
#define MPI_REAL4 (&eco_type_real4)
#define MPI_REAL8 (&eco_type_real8)
#define MPI_REAL16 (&eco_type_real16)
#define MPI_COMPLEX8 (&eco_type_complex8)
#define MPI_COMPLEX16 (&eco_type_complex16)
#define MPI_COMPLEX32 (&eco_type_complex32)

typedef void(MPI_User_function)(void *, void *, int *, MPI_Datatype *);
typedef int(MPI_Comm_copy_attr_function)(MPI_Comm, int, void *, void *, void *, int *);
typedef int(MPI_Comm_delete_attr_function)(MPI_Comm, int, void *, void *);
typedef int(MPI_Type_copy_attr_function)(MPI_Datatype, int, void *, void *, void *, int *);
typedef int(MPI_Type_delete_attr_function)(MPI_Datatype, int, void *, void *);
typedef int(MPI_Win_copy_attr_function)(MPI_Win, int, void *, void *, void *, int *);
typedef int(MPI_Win_delete_attr_function)(MPI_Win, int, void *, void *);
typedef MPI_Comm_copy_attr_function MPI_Copy_function;
typedef MPI_Comm_delete_attr_function MPI_Delete_function;
typedef void(MPI_Comm_errhandler_function)(MPI_Comm *, int *, ...);
typedef void(MPI_Win_errhandler_function)(MPI_Win *, int *, ...);
typedef void(MPI_File_errhandler_function)(MPI_File *, int *, ...);
typedef MPI_Comm_errhandler_function MPI_Handler_function;
typedef MPI_Comm_errhandler_function MPI_Comm_errhandler_fn;
typedef int(MPI_Datarep_conversion_function)(void *, MPI_Datatype, int, void *, MPI_Offset, void *);
typedef int(MPI_Datarep_extent_function)(MPI_Datatype, MPI_Aint *, void *);
#define MPI_CONVERSION_FN_NULL ((MPI_Datarep_conversion_function *) 0)
typedef MPI_Win_errhandler_function MPI_Win_errhandler_fn;
typedef MPI_File_errhandler_function MPI_File_errhandler_fn;
typedef int(MPI_Grequest_query_function)(void *, MPI_Status *);
typedef int(MPI_Grequest_free_function)(void *);
typedef int(MPI_Grequest_cancel_function)(void *, int);

int eco_attribute_dup(void *object, int keyval, void *extra, void *value_in, void *value_out, int *flag);
#define MPI_COMM_NULL_COPY_FN ((MPI_Comm_copy_attr_function *) 0)
#define MPI_COMM_NULL_DELETE_FN ((MPI_Comm_delete_attr_function *) 0)
#define MPI_COMM_DUP_FN ((MPI_Comm_copy_attr_function *) (void *) eco_attribute_dup)
#define MPI_TYPE_NULL_COPY_FN ((MPI_Type_copy_attr_function *) 0)
#define MPI_TYPE_NULL_DELETE_FN ((MPI_Type_delete_attr_function *) 0)
#define MPI_TYPE_DUP_FN ((MPI_Type_copy_attr_function *) (void *) eco_attribute_dup)
#define MPI_WIN_NULL_COPY_FN ((MPI_Win_copy_attr_function *) 0)
#define MPI_WIN_NULL_DELETE_FN ((MPI_Win_delete_attr_function *) 0)
#define MPI_WIN_DUP_FN ((MPI_Win_copy_attr_function *) (void *) eco_attribute_dup)
#define MPI_NULL_COPY_FN MPI_COMM_NULL_COPY_FN
#define MPI_NULL_DELETE_FN MPI_COMM_NULL_DELETE_FN
#define MPI_DUP_FN MPI_COMM_DUP_FN

/* The tool interface */
typedef struct eco_tool_enum *MPI_T_enum;
typedef struct eco_cvar_handle *MPI_T_cvar_handle;
typedef struct eco_pvar_handle *MPI_T_pvar_handle;
typedef struct eco_pvar_session *MPI_T_pvar_session;
#define MPI_T_ENUM_NULL ((MPI_T_enum) 0)
#define MPI_T_CVAR_HANDLE_NULL ((MPI_T_cvar_handle) 0)
#define MPI_T_PVAR_HANDLE_NULL ((MPI_T_pvar_handle) 0)
#define MPI_T_PVAR_SESSION_NULL ((MPI_T_pvar_session) 0)
extern struct eco_pvar_handle eco_pvar_all_handles;
#define MPI_T_PVAR_ALL_HANDLES (&eco_pvar_all_handles)
enum {
    MPI_T_VERBOSITY_USER_BASIC = 1,
    MPI_T_VERBOSITY_USER_DETAIL,
    MPI_T_VERBOSITY_USER_ALL,
    MPI_T_VERBOSITY_TUNER_BASIC,
    MPI_T_VERBOSITY_TUNER_DETAIL,
    MPI_T_VERBOSITY_TUNER_ALL,
    MPI_T_VERBOSITY_MPIDEV_BASIC,
    MPI_T_VERBOSITY_MPIDEV_DETAIL,
    MPI_T_VERBOSITY_MPIDEV_ALL
};
enum {
    MPI_T_BIND_NO_OBJECT,
    MPI_T_BIND_MPI_COMM,
    MPI_T_BIND_MPI_DATATYPE,
    MPI_T_BIND_MPI_ERRHANDLER,
    MPI_T_BIND_MPI_FILE,
    MPI_T_BIND_MPI_GROUP,
    MPI_T_BIND_MPI_OP,
    MPI_T_BIND_MPI_REQUEST,
    MPI_T_BIND_MPI_WIN,
    MPI_T_BIND_MPI_MESSAGE,
    MPI_T_BIND_MPI_INFO
};
enum {
    MPI_T_SCOPE_CONSTANT,
    MPI_T_SCOPE_READONLY,
    MPI_T_SCOPE_LOCAL,
    MPI_T_SCOPE_GROUP,
    MPI_T_SCOPE_GROUP_EQ,
    MPI_T_SCOPE_ALL,
    MPI_T_SCOPE_ALL_EQ
};
enum {
    MPI_T_PVAR_CLASS_STATE,
    MPI_T_PVAR_CLASS_LEVEL,
    MPI_T_PVAR_CLASS_SIZE,
    MPI_T_PVAR_CLASS_PERCENTAGE,
    MPI_T_PVAR_CLASS_HIGHWATERMARK,
    MPI_T_PVAR_CLASS_LOWWATERMARK,
    MPI_T_PVAR_CLASS_COUNTER,
    MPI_T_PVAR_CLASS_AGGREGATE,
    MPI_T_PVAR_CLASS_TIMER,
    MPI_T_PVAR_CLASS_GENERIC
};

/* Each function has its PMPI_ name too, so that profilers can stand in between: `mpi_functions.h` names them all. */
#include "mpi_functions.h"

#ifdef __cplusplus
}
#endif
#endif
