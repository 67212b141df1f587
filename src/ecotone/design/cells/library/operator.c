/* Reduction operators: a loop for each pair of operator and type that the standard allows, and the user's own. */
#include "internal.h"

#include "reduction.h"

#define LOOP(symbol, op, ctype, expression)                                                                            \
    static void op##_##symbol(const void *in, void *inout, int count)                                                  \
    {                                                                                                                  \
        const ctype *restrict a = in;                                                                                  \
        ctype *restrict b = inout;                                                                                     \
        for (int i = 0; i < count; i++) b[i] = (ctype) (expression);                                                   \
    }

#define ORDER_LOOPS(symbol, ctype)                                                                                     \
    LOOP(symbol, max, ctype, a[i] > b[i] ? a[i] : b[i])                                                                \
    LOOP(symbol, min, ctype, a[i] < b[i] ? a[i] : b[i])
#define ARITHMETIC_LOOPS(symbol, ctype)                                                                                \
    LOOP(symbol, sum, ctype, a[i] + b[i])                                                                              \
    LOOP(symbol, prod, ctype, a[i] * b[i])
#define LOGIC_LOOPS(symbol, ctype)                                                                                     \
    LOOP(symbol, land, ctype, a[i] && b[i])                                                                            \
    LOOP(symbol, lor, ctype, a[i] || b[i])                                                                             \
    LOOP(symbol, lxor, ctype, !a[i] != !b[i])
#define BIT_LOOPS(symbol, ctype)                                                                                       \
    LOOP(symbol, band, ctype, a[i] & b[i])                                                                             \
    LOOP(symbol, bor, ctype, a[i] | b[i])                                                                              \
    LOOP(symbol, bxor, ctype, a[i] ^ b[i])

#define ORDER_TABLE(symbol) [OP_MAX] = max_##symbol, [OP_MIN] = min_##symbol
#define ARITHMETIC_TABLE(symbol) [OP_SUM] = sum_##symbol, [OP_PROD] = prod_##symbol
#define LOGIC_TABLE(symbol) [OP_LAND] = land_##symbol, [OP_LOR] = lor_##symbol, [OP_LXOR] = lxor_##symbol
#define BIT_TABLE(symbol) [OP_BAND] = band_##symbol, [OP_BOR] = bor_##symbol, [OP_BXOR] = bxor_##symbol

#define INTEGER(symbol, label, ctype)                                                                                  \
    ORDER_LOOPS(symbol, ctype) ARITHMETIC_LOOPS(symbol, ctype) LOGIC_LOOPS(symbol, ctype) BIT_LOOPS(symbol, ctype)     \
    const struct reduction eco_reduction_##symbol = {                                                                      \
        {ORDER_TABLE(symbol), ARITHMETIC_TABLE(symbol), LOGIC_TABLE(symbol), BIT_TABLE(symbol)}};
ECO_INTEGERS(INTEGER)

/* Logic on reals is not in the standard, but MPICH has it. */
#define REAL(symbol, label, ctype)                                                                                     \
    ORDER_LOOPS(symbol, ctype) ARITHMETIC_LOOPS(symbol, ctype) LOGIC_LOOPS(symbol, ctype)                              \
    const struct reduction eco_reduction_##symbol = {                                                                      \
        {ORDER_TABLE(symbol), ARITHMETIC_TABLE(symbol), LOGIC_TABLE(symbol)}};
ECO_REALS(REAL)

#define COMPLEX(symbol, label, ctype)                                                                                  \
    ARITHMETIC_LOOPS(symbol, ctype)                                                                                    \
    const struct reduction eco_reduction_##symbol = {{ARITHMETIC_TABLE(symbol)}};
ECO_COMPLEXES(COMPLEX)

#define LOGICAL(symbol, label, ctype)                                                                                  \
    LOGIC_LOOPS(symbol, ctype)                                                                                         \
    const struct reduction eco_reduction_##symbol = {{LOGIC_TABLE(symbol)}};
ECO_LOGICALS(LOGICAL)

BIT_LOOPS(byte, unsigned char)
const struct reduction eco_reduction_byte = {{BIT_TABLE(byte)}};

/* The value that wins, and of equal ones the lower index. */
#define LOCATION(symbol, op, compare)                                                                                  \
    static void op##_##symbol(const void *in, void *inout, int count)                                                  \
    {                                                                                                                  \
        const struct pair_##symbol *a = in;                                                                            \
        struct pair_##symbol *b = inout;                                                                               \
        for (int i = 0; i < count; i++)                                                                                \
            if (a[i].value compare b[i].value || (a[i].value == b[i].value && a[i].index < b[i].index)) b[i] = a[i];   \
    }
#define PAIR(symbol, label, ctype, first, itype, second)                                                               \
    LOCATION(symbol, maxloc, >)                                                                                        \
    LOCATION(symbol, minloc, <)                                                                                        \
    const struct reduction eco_reduction_##symbol = {{[OP_MAXLOC] = maxloc_##symbol, [OP_MINLOC] = minloc_##symbol}};
ECO_PAIRS(PAIR)

#define BUILTIN(symbol, index) struct eco_op eco_op_##symbol = {.commutative = true, .builtin = index, .name = #symbol};
BUILTIN(max, OP_MAX) BUILTIN(min, OP_MIN) BUILTIN(sum, OP_SUM) BUILTIN(prod, OP_PROD) BUILTIN(land, OP_LAND)
BUILTIN(band, OP_BAND) BUILTIN(lor, OP_LOR) BUILTIN(bor, OP_BOR) BUILTIN(lxor, OP_LXOR) BUILTIN(bxor, OP_BXOR)
BUILTIN(maxloc, OP_MAXLOC) BUILTIN(minloc, OP_MINLOC)
struct eco_op eco_op_replace = {.builtin = OP_REPLACE, .name = "replace"};
struct eco_op eco_op_no_op = {.builtin = OP_NO_OP, .name = "no_op"};

/* A type made of one predefined type only (a contiguous one, say) is not allowed with built-in operators either. */
int op_check(const struct eco_op *op, const struct eco_type *type)
{
    if (!op || op == MPI_REPLACE || op == MPI_NO_OP) return MPI_ERR_OP;
    if (op->function) return MPI_SUCCESS;
    return type->reduction && type->reduction->loops[op->builtin] ? MPI_SUCCESS : MPI_ERR_OP;
}

void op_apply(struct eco_op *op, const void *in, void *inout, int count, struct eco_type *type)
{
    if (count == 0) return;
    if (op->function) {
        MPI_Datatype handle = type;
        op->function((void *) in, inout, &count, &handle);
    } else {
        type->reduction->loops[op->builtin](in, inout, count);
    }
}

int MPI_Op_create(MPI_User_function *function, int commutes, MPI_Op *op)
{
    REQUIRE(function && op, NULL, MPI_ERR_ARG);
    *op = eco_allocate(sizeof **op);
    **op = (struct eco_op){.references = 1, .commutative = commutes != 0, .builtin = -1, .function = function};
    return MPI_SUCCESS;
}

static void op_release(struct eco_op *op)
{
    if (op->references && --op->references == 0) free(op);
}

int MPI_Op_free(MPI_Op *op)
{
    REQUIRE(op && *op && (*op)->references, NULL, MPI_ERR_OP);
    op_release(*op);
    *op = MPI_OP_NULL;
    return MPI_SUCCESS;
}

int MPI_Op_commutative(MPI_Op op, int *commutes)
{
    REQUIRE(op, NULL, MPI_ERR_OP);
    REQUIRE(commutes, NULL, MPI_ERR_ARG);
    *commutes = op->commutative;
    return MPI_SUCCESS;
}

int MPI_Reduce_local(const void *in, void *inout, int count, MPI_Datatype type, MPI_Op op)
{
    PASS(NULL, check_data(in, count, type));
    REQUIRE(in != MPI_IN_PLACE && inout != MPI_IN_PLACE && (in != inout || !count), NULL, MPI_ERR_BUFFER);
    PASS(NULL, op_check(op, type));
    op_apply(op, in, inout, count, type);
    return MPI_SUCCESS;
}
