/* 2.19.7 atomic on real numbers, by values whose sums are exact; read and write of whole values. */
#include <omp.h>

#include "../check.h"

enum { TRIPS = 4000 };

#define TYPE(type, name)                                                                \
    static void name(void)                                                              \
    {                                                                                   \
        static type sum, product, difference, quotient;                                 \
        sum = 1, product = 1, difference = 0, quotient = 1;                             \
        _Pragma("omp parallel for schedule(static, 1)") for (int i = 0; i < TRIPS; i++) \
        {                                                                               \
            if (i < 8) linger();                                                        \
            _Pragma("omp atomic") sum += (type) 0.5;                                    \
            _Pragma("omp atomic update") product *= (type) (i % 100 ? i % 50 ? 1 : 0.5 : 2);\
            _Pragma("omp atomic") difference = difference - i;                          \
            _Pragma("omp atomic") quotient /= (type) (i % 100 ? i % 50 ? 1 : 0.5 : 2);  \
            _Pragma("omp atomic") sum++;                                                \
            _Pragma("omp atomic") sum = (type) 0.25 + sum;                              \
        }                                                                               \
        CHECK(sum == 1 + (type) 1.75 * TRIPS);                                          \
        CHECK(product == 1);                                                            \
        CHECK(difference == -(type) (TRIPS * (TRIPS - 1) / 2));                         \
        CHECK(quotient == 1);                                                           \
    }
TYPE(float, floats)
TYPE(double, doubles)
TYPE(long double, long_doubles)

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
WHOLE(double, whole_doubles, 1.0 / 3, -2e300)
WHOLE(long double, whole_long_doubles, 1.0L / 3, -2e300L)
WHOLE(long long, whole_long_longs, 0x1111111122222222LL, 0x3333333344444444LL)
WHOLE(char, whole_chars, 'a', 'b')

int main(void)
{
    RUN(floats);
    RUN(doubles);
    RUN(long_doubles);
    RUN(whole_doubles);
    RUN(whole_long_doubles);
    RUN(whole_long_longs);
    RUN(whole_chars);
    return finish();
}
