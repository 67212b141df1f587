/* 2.19.7 atomic on complex numbers, an extension of C compilers. */
// gcc: has no atomic on complex numbers
#include <complex.h>
#include <omp.h>

#include "../check.h"

enum { TRIPS = 4000 };

#define COMPLEX(type, name)                                                             \
    static void name(void)                                                              \
    {                                                                                   \
        static type sum;                                                                \
        sum = 0;                                                                        \
        _Pragma("omp parallel for schedule(static, 1)") for (int i = 0; i < TRIPS; i++) \
        {                                                                               \
            _Pragma("omp atomic") sum += (type) (1 - 0.5 * I);                          \
        }                                                                               \
        CHECK(sum == (type) (TRIPS - 0.5 * TRIPS * I));                                 \
    }
COMPLEX(float complex, complex_floats)
COMPLEX(double complex, complex_doubles)

/* Half of a value of one writer and half of another's is never seen. */
#define WHOLE(type, name, even, odd)                                                     \
    static void name(void)                                                               \
    {                                                                                    \
        static type value;                                                               \
        int wrong = 0;                                                                   \
        value = even;                                                                    \
        _Pragma("omp parallel for schedule(dynamic, 50)") for (int i = 0; i < 4000; i++) \
        {                                                                                \
            if (i / 50 % 2) {                                                            \
                type mine = i % 2 ? (type) (odd) : (type) (even);                        \
                _Pragma("omp atomic write") value = mine;                                \
            } else {                                                                     \
                type seen;                                                               \
                _Pragma("omp atomic read") seen = value;                                 \
                if (seen != (type) (even) && seen != (type) (odd)) add_to_word(&wrong, 1); \
            }                                                                            \
        }                                                                                \
        CHECK_EQUAL(wrong, 0);                                                           \
    }
WHOLE(double complex, whole_complexes, 1 + 1 * I, 2 + 2 * I)

int main(void)
{
    RUN(complex_floats);
    RUN(complex_doubles);
    RUN(whole_complexes);
    return finish();
}
