/* 3.9.2 locks made with hints. */
// gcc: libgomp of gcc 12 has no omp_init_lock_with_hint
#include <omp.h>

#include "../check.h"

static void hints(void)
{
    omp_sync_hint_t all[] = {omp_sync_hint_none, omp_sync_hint_uncontended, omp_sync_hint_contended,
                             omp_sync_hint_nonspeculative, omp_sync_hint_speculative,
                             omp_sync_hint_contended | omp_sync_hint_nonspeculative};
    for (unsigned h = 0; h < sizeof all / sizeof *all; h++) {
        omp_lock_t lock;
        omp_nest_lock_t nest;
        int count = 0, size = 0;
        omp_init_lock_with_hint(&lock, all[h]);
        omp_init_nest_lock_with_hint(&nest, all[h]);
#pragma omp parallel
        {
            for (int round = 0; round < 50; round++) {
                omp_set_lock(&lock);
                slow_increment(&count);
                omp_unset_lock(&lock);
            }
#pragma omp barrier
            for (int round = 0; round < 50; round++) {
                omp_set_nest_lock(&nest);
                slow_increment(&count);
                omp_unset_nest_lock(&nest);
            }
#pragma omp master
            size = omp_get_num_threads();
        }
        omp_destroy_lock(&lock);
        omp_destroy_nest_lock(&nest);
        CHECK_EQUAL(count, 100 * size);
    }
}

int main(void)
{
    RUN(hints);
    return finish();
}
