/* Calls the function that the compiler has made of a parallel region.
 *
 * WebAssembly checks the type of what is called, so the number of arguments must be right; each is 32 bits wide, for
 * what is larger is passed by its address. */
#include "openmp.h"

#define A1(at) arguments[at]
#define A2(at) A1(at), A1((at) + 1)
#define A4(at) A2(at), A2((at) + 2)
#define A8(at) A4(at), A4((at) + 4)
#define A16(at) A8(at), A8((at) + 8)
#define A32(at) A16(at), A16((at) + 16)
#define T1 uintptr_t
#define T2 T1, T1
#define T4 T2, T2
#define T8 T4, T4
#define T16 T8, T8
#define T32 T16, T16
#define CALL(types, values) ((void (*)(int32_t *, int32_t *, types)) function)(thread, number, values)
#define LIST(...) __VA_ARGS__

void eomp_invoke(microtask function, int32_t *thread, int32_t *number, int32_t count, const uintptr_t *arguments)
{
    switch (count) {
    case 0: ((void (*)(int32_t *, int32_t *)) function)(thread, number); break;
    case 1: CALL(LIST(T1), LIST(A1(0))); break;
    case 2: CALL(LIST(T2), LIST(A2(0))); break;
    case 3: CALL(LIST(T2, T1), LIST(A2(0), A1(2))); break;
    case 4: CALL(LIST(T4), LIST(A4(0))); break;
    case 5: CALL(LIST(T4, T1), LIST(A4(0), A1(4))); break;
    case 6: CALL(LIST(T4, T2), LIST(A4(0), A2(4))); break;
    case 7: CALL(LIST(T4, T2, T1), LIST(A4(0), A2(4), A1(6))); break;
    case 8: CALL(LIST(T8), LIST(A8(0))); break;
    case 9: CALL(LIST(T8, T1), LIST(A8(0), A1(8))); break;
    case 10: CALL(LIST(T8, T2), LIST(A8(0), A2(8))); break;
    case 11: CALL(LIST(T8, T2, T1), LIST(A8(0), A2(8), A1(10))); break;
    case 12: CALL(LIST(T8, T4), LIST(A8(0), A4(8))); break;
    case 13: CALL(LIST(T8, T4, T1), LIST(A8(0), A4(8), A1(12))); break;
    case 14: CALL(LIST(T8, T4, T2), LIST(A8(0), A4(8), A2(12))); break;
    case 15: CALL(LIST(T8, T4, T2, T1), LIST(A8(0), A4(8), A2(12), A1(14))); break;
    case 16: CALL(LIST(T16), LIST(A16(0))); break;
    case 17: CALL(LIST(T16, T1), LIST(A16(0), A1(16))); break;
    case 18: CALL(LIST(T16, T2), LIST(A16(0), A2(16))); break;
    case 19: CALL(LIST(T16, T2, T1), LIST(A16(0), A2(16), A1(18))); break;
    case 20: CALL(LIST(T16, T4), LIST(A16(0), A4(16))); break;
    case 21: CALL(LIST(T16, T4, T1), LIST(A16(0), A4(16), A1(20))); break;
    case 22: CALL(LIST(T16, T4, T2), LIST(A16(0), A4(16), A2(20))); break;
    case 23: CALL(LIST(T16, T4, T2, T1), LIST(A16(0), A4(16), A2(20), A1(22))); break;
    case 24: CALL(LIST(T16, T8), LIST(A16(0), A8(16))); break;
    case 25: CALL(LIST(T16, T8, T1), LIST(A16(0), A8(16), A1(24))); break;
    case 26: CALL(LIST(T16, T8, T2), LIST(A16(0), A8(16), A2(24))); break;
    case 27: CALL(LIST(T16, T8, T2, T1), LIST(A16(0), A8(16), A2(24), A1(26))); break;
    case 28: CALL(LIST(T16, T8, T4), LIST(A16(0), A8(16), A4(24))); break;
    case 29: CALL(LIST(T16, T8, T4, T1), LIST(A16(0), A8(16), A4(24), A1(28))); break;
    case 30: CALL(LIST(T16, T8, T4, T2), LIST(A16(0), A8(16), A4(24), A2(28))); break;
    case 31: CALL(LIST(T16, T8, T4, T2, T1), LIST(A16(0), A8(16), A4(24), A2(28), A1(30))); break;
    case 32: CALL(LIST(T32), LIST(A32(0))); break;
    case 33: CALL(LIST(T32, T1), LIST(A32(0), A1(32))); break;
    case 34: CALL(LIST(T32, T2), LIST(A32(0), A2(32))); break;
    case 35: CALL(LIST(T32, T2, T1), LIST(A32(0), A2(32), A1(34))); break;
    case 36: CALL(LIST(T32, T4), LIST(A32(0), A4(32))); break;
    case 37: CALL(LIST(T32, T4, T1), LIST(A32(0), A4(32), A1(36))); break;
    case 38: CALL(LIST(T32, T4, T2), LIST(A32(0), A4(32), A2(36))); break;
    case 39: CALL(LIST(T32, T4, T2, T1), LIST(A32(0), A4(32), A2(36), A1(38))); break;
    case 40: CALL(LIST(T32, T8), LIST(A32(0), A8(32))); break;
    case 41: CALL(LIST(T32, T8, T1), LIST(A32(0), A8(32), A1(40))); break;
    case 42: CALL(LIST(T32, T8, T2), LIST(A32(0), A8(32), A2(40))); break;
    case 43: CALL(LIST(T32, T8, T2, T1), LIST(A32(0), A8(32), A2(40), A1(42))); break;
    case 44: CALL(LIST(T32, T8, T4), LIST(A32(0), A8(32), A4(40))); break;
    case 45: CALL(LIST(T32, T8, T4, T1), LIST(A32(0), A8(32), A4(40), A1(44))); break;
    case 46: CALL(LIST(T32, T8, T4, T2), LIST(A32(0), A8(32), A4(40), A2(44))); break;
    case 47: CALL(LIST(T32, T8, T4, T2, T1), LIST(A32(0), A8(32), A4(40), A2(44), A1(46))); break;
    case 48: CALL(LIST(T32, T16), LIST(A32(0), A16(32))); break;
    case 49: CALL(LIST(T32, T16, T1), LIST(A32(0), A16(32), A1(48))); break;
    case 50: CALL(LIST(T32, T16, T2), LIST(A32(0), A16(32), A2(48))); break;
    case 51: CALL(LIST(T32, T16, T2, T1), LIST(A32(0), A16(32), A2(48), A1(50))); break;
    case 52: CALL(LIST(T32, T16, T4), LIST(A32(0), A16(32), A4(48))); break;
    case 53: CALL(LIST(T32, T16, T4, T1), LIST(A32(0), A16(32), A4(48), A1(52))); break;
    case 54: CALL(LIST(T32, T16, T4, T2), LIST(A32(0), A16(32), A4(48), A2(52))); break;
    case 55: CALL(LIST(T32, T16, T4, T2, T1), LIST(A32(0), A16(32), A4(48), A2(52), A1(54))); break;
    case 56: CALL(LIST(T32, T16, T8), LIST(A32(0), A16(32), A8(48))); break;
    case 57: CALL(LIST(T32, T16, T8, T1), LIST(A32(0), A16(32), A8(48), A1(56))); break;
    case 58: CALL(LIST(T32, T16, T8, T2), LIST(A32(0), A16(32), A8(48), A2(56))); break;
    case 59: CALL(LIST(T32, T16, T8, T2, T1), LIST(A32(0), A16(32), A8(48), A2(56), A1(58))); break;
    case 60: CALL(LIST(T32, T16, T8, T4), LIST(A32(0), A16(32), A8(48), A4(56))); break;
    case 61: CALL(LIST(T32, T16, T8, T4, T1), LIST(A32(0), A16(32), A8(48), A4(56), A1(60))); break;
    case 62: CALL(LIST(T32, T16, T8, T4, T2), LIST(A32(0), A16(32), A8(48), A4(56), A2(60))); break;
    case 63: CALL(LIST(T32, T16, T8, T4, T2, T1), LIST(A32(0), A16(32), A8(48), A4(56), A2(60), A1(62))); break;
    case 64: CALL(LIST(T32, T32), LIST(A32(0), A32(32))); break;
    default:
        eomp_fail("a parallel region uses %d variables of the function around it; at most %d can be passed to its "
                  "threads: put some of them into a struct",
                  (int) count, ARGUMENTS);
    }
}
