/* 2.3 declare variant and metadirective, 2.5.4 nothing: the form that fits this place is called. */
#include <omp.h>

#include "../check.h"

static int in_region(void) { return 2; }
static int for_never(void) { return 3; }
#pragma omp declare variant(in_region) match(construct = {parallel})
#pragma omp declare variant(for_never) match(user = {condition(0)})
static int plain(void) { return 1; }

static void chosen_by_construct(void)
{
    int inside = 0;
    CHECK_EQUAL(plain(), 1);
#pragma omp parallel
#pragma omp master
    inside = plain();
    CHECK_EQUAL(inside, 2);
}

int main(void)
{
    RUN(chosen_by_construct);
    return finish();
}
