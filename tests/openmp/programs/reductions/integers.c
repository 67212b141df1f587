/* 2.21.5 reductions of all integer types with all operators, on loops of all schedules. */
#include <limits.h>
#include <omp.h>
#include <stdint.h>

#include "../check.h"

enum { SIZE = 97 };

#define PRAGMA(text) _Pragma(#text)

#define OPERATOR(type, name, operation, start, step)                                                  \
    static void name(void)                                                                            \
    {                                                                                                 \
        type wanted = (type) (start), seen = (type) (start), dynamic = (type) (start);                \
        for (int i = 0; i < SIZE; i++) wanted = (type) (wanted operation (type) (step));              \
        PRAGMA(omp parallel for reduction(operation : seen)) for (int i = 0; i < SIZE; i++)     \
            seen = (type) (seen operation (type) (step));                                             \
        CHECK_EQUAL(seen, wanted);                                                                    \
        PRAGMA(omp parallel for schedule(dynamic, 3) reduction(operation : dynamic))              \
        for (int i = 0; i < SIZE; i++) dynamic = (type) (dynamic operation (type) (step));            \
        CHECK_EQUAL(dynamic, wanted);                                                                 \
    }
#define EXTREME(type, name, clause, comparison, start)                                                \
    static void name(void)                                                                            \
    {                                                                                                 \
        type wanted = (type) (start), seen = (type) (start);                                          \
        for (int i = 0; i < SIZE; i++)                                                                \
            if ((type) mix((unsigned) i) comparison wanted) wanted = (type) mix((unsigned) i);        \
        PRAGMA(omp parallel for schedule(static, 2) reduction(clause : seen))                          \
        for (int i = 0; i < SIZE; i++)                                                                \
            if ((type) mix((unsigned) i) comparison seen) seen = (type) mix((unsigned) i);            \
        CHECK_EQUAL(seen, wanted);                                                                    \
    }
#define TYPE(type, short_name)                                                \
    OPERATOR(type, short_name##_plus, +, 5, i * 3 + 1)                        \
    OPERATOR(type, short_name##_times, *, 3, i % 7 == 0 ? 3 : 1)              \
    OPERATOR(type, short_name##_and, &, ~0ull, ~(1ull << (i % 3)))            \
    OPERATOR(type, short_name##_or, |, 1, 1ull << (i % 7))                    \
    OPERATOR(type, short_name##_xor, ^, 9, mix((unsigned) i))                 \
    EXTREME(type, short_name##_max, max, >, 0)                                \
    EXTREME(type, short_name##_min, min, <, 0x7f)                             \
    static void short_name##_logical(void)                                    \
    {                                                                         \
        for (int odd = -1; odd < SIZE; odd += 14) {                           \
            type all = 1, any = 0;                                            \
            _Pragma("omp parallel for reduction(&&:all) reduction(||:any)")   \
            for (int i = 0; i < SIZE; i++) {                                  \
                all = all && i != odd;                                        \
                any = any || i == odd;                                        \
            }                                                                 \
            CHECK_EQUAL(all, odd < 0);                                        \
            CHECK_EQUAL(any, odd >= 0);                                       \
        }                                                                     \
    }                                                                         \
    static void short_name##_all(void)                                        \
    {                                                                         \
        short_name##_plus();                                                  \
        short_name##_times();                                                 \
        short_name##_and();                                                   \
        short_name##_or();                                                    \
        short_name##_xor();                                                   \
        short_name##_max();                                                   \
        short_name##_min();                                                   \
        short_name##_logical();                                               \
    }

TYPE(signed char, s8)
TYPE(unsigned char, u8)
TYPE(short, s16)
TYPE(unsigned short, u16)
TYPE(int, s32)
TYPE(unsigned, u32)
TYPE(int64_t, s64)
TYPE(uint64_t, u64)

static void truth_values(void)
{
    _Bool all = 1, any = 0, odd = 0;
#pragma omp parallel for reduction(&& : all) reduction(|| : any) reduction(^ : odd)
    for (int i = 0; i < SIZE; i++) {
        all = all && i < 1000;
        any = any || i == 50;
        odd = odd ^ (i % 2 == 0);
    }
    CHECK(all && any && odd);
}

int main(void)
{
    RUN(s8_all);
    RUN(u8_all);
    RUN(s16_all);
    RUN(u16_all);
    RUN(s32_all);
    RUN(u32_all);
    RUN(s64_all);
    RUN(u64_all);
    RUN(truth_values);
    return finish();
}
