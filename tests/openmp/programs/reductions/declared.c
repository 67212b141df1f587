/* 2.21.5.7 declare reduction: combiners and initialisers of the user's own, for structures and for known types. */
#include <limits.h>
#include <omp.h>

#include "../check.h"

typedef struct {
    double value;
    int place;
} extreme;

typedef struct {
    long long sum, squares;
    int count;
} moments;

#pragma omp declare reduction(lowest : extreme : omp_out = omp_in.value < omp_out.value || \
    (omp_in.value == omp_out.value && omp_in.place < omp_out.place) ? omp_in : omp_out) \
    initializer(omp_priv = (extreme){1e300, INT_MAX})

static void add_moments(moments *out, const moments *in)
{
    out->sum += in->sum;
    out->squares += in->squares;
    out->count += in->count;
}
static void clear_moments(moments *one) { memset(one, 0, sizeof *one); }
#pragma omp declare reduction(+ : moments : add_moments(&omp_out, &omp_in)) initializer(clear_moments(&omp_priv))
#pragma omp declare reduction(keep : int : omp_out |= omp_in) initializer(omp_priv = omp_orig & 256)
#pragma omp declare reduction(both : int, long long : omp_out += 2 * omp_in) initializer(omp_priv = 0)

static void structures(void)
{
    extreme best = {1e300, INT_MAX};
#pragma omp parallel for reduction(lowest : best)
    for (int i = 0; i < 1000; i++) {
        double value = (double) (mix((unsigned) i) % 500);
        if (value < best.value) best = (extreme){value, i};
    }
    SHOW("lowest %g at %d", best.value, best.place);
    extreme wanted = {1e300, 0};
    for (int i = 0; i < 1000; i++)
        if (mix((unsigned) i) % 500 < wanted.value) wanted = (extreme){(double) (mix((unsigned) i) % 500), i};
    CHECK(best.value == wanted.value && best.place == wanted.place);
}

static void functions(void)
{
    moments all = {1000, 0, 1};
#pragma omp parallel for reduction(+ : all) schedule(dynamic, 9)
    for (int i = 0; i < 100; i++) {
        all.sum += i;
        all.squares += i * i;
        all.count++;
    }
    CHECK_EQUAL(all.sum, 5950);
    CHECK_EQUAL(all.squares, 328350);
    CHECK_EQUAL(all.count, 101);
}

static void initialised_from_the_original(void)
{
    int bits = 256 + 1, wrong = 0;
#pragma omp parallel reduction(keep : bits)
    {
        if (bits != 256) add_to_word(&wrong, 1);
        bits |= 8;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(bits, 256 + 8 + 1);
}

static void combined_once_for_each_copy(void)
{
    int small = 0, size = 0;
    long long large = 0;
#pragma omp parallel reduction(both : small, large)
    {
        small = 1;
        large = 10;
#pragma omp master
        size = omp_get_num_threads();
    }
    /* Which copies are combined first is open, but each is doubled at least once. */
    CHECK(small >= 2 * size && large == 10LL * small);
    CHECK(size > 1 || small == 2);
}

static void in_a_block(void)
{
    int most = 0;
#pragma omp declare reduction(longest : int : omp_out = omp_in > omp_out ? omp_in : omp_out) initializer(omp_priv = -1)
#pragma omp parallel for reduction(longest : most)
    for (int i = 0; i < 100; i++)
        if (i > most) most = i;
    CHECK_EQUAL(most, 99);
}

static void of_arrays(void)
{
    moments parts[3];
    memset(parts, 0, sizeof parts);
#pragma omp parallel for reduction(+ : parts)
    for (int i = 0; i < 99; i++) {
        parts[i % 3].sum += i;
        parts[i % 3].count++;
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(parts[i].count, 33);
        CHECK_EQUAL(parts[i].sum, 3 * 528 + 33 * i);
    }
}

int main(void)
{
    RUN(structures);
    RUN(functions);
    RUN(initialised_from_the_original);
    RUN(combined_once_for_each_copy);
    RUN(in_a_block);
    RUN(of_arrays);
    return finish();
}
