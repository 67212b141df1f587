/* 2.19.7 atomic update of all integer types with all operators: nothing is lost, whichever thread is when at it. */
#include <omp.h>
#include <stdint.h>

#include "../check.h"

enum { TRIPS = 20000 };
#define PRAGMA(text) _Pragma(#text)

/* Operations whose end does not depend on their order, applied by many threads and by one. */
#define UPDATE(type, start, statement)                                     \
    do {                                                                   \
        type wanted = (type) (start), seen = (type) (start);               \
        {                                                                  \
            type x = wanted;                                               \
            for (int i = 0; i < TRIPS; i++) statement;                     \
            wanted = x;                                                    \
        }                                                                  \
        {                                                                  \
            static type x;                                                 \
            x = seen;                                                      \
            PRAGMA(omp parallel for schedule(static, 1))                   \
            for (int i = 0; i < TRIPS; i++) {                              \
                if (i < 8) linger();                                       \
                PRAGMA(omp atomic update)                                  \
                statement;                                                 \
            }                                                              \
            seen = x;                                                      \
        }                                                                  \
        CHECK_EQUAL(seen, wanted);                                         \
    } while (0)

#define TYPE(type, name)                                                   \
    static void name(void)                                                 \
    {                                                                      \
        UPDATE(type, 1, x++);                                              \
        UPDATE(type, 9, ++x);                                              \
        UPDATE(type, 100, x--);                                            \
        UPDATE(type, 100, --x);                                            \
        UPDATE(type, 3, x += (type) i);                                    \
        UPDATE(type, 3, x -= (type) (i * 3));                              \
        UPDATE(type, 1, x *= (type) (i % 50 == 0 ? 3 : 1));                \
        UPDATE(type, 5, x ^= (type) mix((unsigned) i));                    \
        UPDATE(type, ~0u, x &= (type) ~(1u << (i % 3)));                   \
        UPDATE(type, 0, x |= (type) (1u << (i % 6)));                      \
        UPDATE(type, 1, x = (type) i + x);                                 \
        UPDATE(type, 1, x = x + (type) i);                                 \
        UPDATE(type, 1, x = x ^ (type) (i * 7));                           \
        UPDATE(type, 1, x = (type) 3 * x);                                 \
        UPDATE(type, 77, x = (type) 5 - x);                             \
        UPDATE(type, 64, x >>= (i % 10000 == 0));                           \
        UPDATE(type, 1, x <<= (i % 10000 == 0));                            \
        UPDATE(type, 100, x /= (type) (i % 1500 == 0 ? 2 : 1));            \
    }

TYPE(signed char, s8)
TYPE(unsigned char, u8)
TYPE(short, s16)
TYPE(unsigned short, u16)
TYPE(int, s32)
TYPE(unsigned, u32)
TYPE(int64_t, s64)
TYPE(uint64_t, u64)
TYPE(long, longs)

static void truth_values(void)
{
    _Bool any = 0;
    int counter = 0;
#pragma omp parallel for
    for (int i = 0; i < 100; i++) {
#pragma omp atomic
        any |= i == 50;
#pragma omp atomic
        counter += any ? 1 : 1;
    }
    CHECK(any && counter == 100);
}

static struct {
    char before, middle, after;
    short half[3];
} neighbours;

static void neighbours_are_left_alone(void)
{
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 3000; i++) {
        if (i % 3 == 0) {
#pragma omp atomic
            neighbours.before++;
#pragma omp atomic
            neighbours.half[0]++;
        } else if (i % 3 == 1) {
#pragma omp atomic
            neighbours.middle += 2;
#pragma omp atomic
            neighbours.half[1] -= 3;
        } else {
#pragma omp atomic
            neighbours.after--;
#pragma omp atomic
            neighbours.half[2] ^= 1;
        }
    }
    CHECK(neighbours.before == (char) 1000 && neighbours.middle == (char) 2000 && neighbours.after == (char) -1000);
    CHECK(neighbours.half[0] == 1000 && neighbours.half[1] == -3000 && neighbours.half[2] == 0);
}

static void elements_chosen_by_expressions(void)
{
    int counts[10] = {0}, calls = 0;
#pragma omp parallel for
    for (int i = 0; i < 1000; i++) {
#pragma omp atomic
        counts[i * 7 % 10] += add_to_word(&calls, 1) > 0;
    }
    for (int i = 0; i < 10; i++) CHECK_EQUAL(counts[i], 100);
    CHECK_EQUAL(calls, 1000);
}

int main(void)
{
    RUN(s8);
    RUN(u8);
    RUN(s16);
    RUN(u16);
    RUN(s32);
    RUN(u32);
    RUN(s64);
    RUN(u64);
    RUN(longs);
    RUN(truth_values);
    RUN(neighbours_are_left_alone);
    RUN(elements_chosen_by_expressions);
    return finish();
}
