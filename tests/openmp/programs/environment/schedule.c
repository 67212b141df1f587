/* 6.1 OMP_SCHEDULE: kinds, chunks, modifiers, spaces and case, and what makes no sense. */
// run: OMP_SCHEDULE=static
// run: OMP_SCHEDULE=static,4
// run: OMP_SCHEDULE=dynamic
// run: OMP_SCHEDULE=dynamic,7
// run: OMP_SCHEDULE=GUIDED,3
// run: OMP_SCHEDULE=auto
// run: OMP_SCHEDULE=monotonic:dynamic,5
// run: OMP_SCHEDULE=nonmonotonic:guided,2
// run: OMP_SCHEDULE=sometimes
// run: OMP_SCHEDULE=dynamic,often
// run in cells: OMP_SCHEDULE=dynamic,-2 (libgomp of gcc 12 crashes)
// run: OMP_SCHEDULE=
// run:
#include <ctype.h>
#include <omp.h>

#include "../check.h"

enum { SIZE = 210 };
static int owner[SIZE], counts[SIZE];

static const char *text(void)
{
    const char *found = getenv("OMP_SCHEDULE");
    return found ? found : "";
}

static int sensible(void)
{
    return strstr(text(), "sometimes") == NULL && strstr(text(), "often") == NULL && strstr(text(), "-2") == NULL && *text();
}

static void is_told(void)
{
    omp_sched_t kind;
    int chunk;
    omp_get_schedule(&kind, &chunk);
    if (!sensible()) return;
    char lower[50] = {0};
    for (int i = 0; text()[i]; i++) lower[i] = (char) tolower(text()[i]);
    int wanted = strstr(lower, "static") ? omp_sched_static : strstr(lower, "dynamic") ? omp_sched_dynamic
                 : strstr(lower, "guided") ? omp_sched_guided : omp_sched_auto;
    CHECK_EQUAL((unsigned) kind & 0x7fffffff, wanted);
    const char *comma = strchr(lower, ',');
    if (comma) CHECK_EQUAL(chunk, atoi(comma + 1));
    else if (wanted == omp_sched_dynamic || wanted == omp_sched_guided) CHECK_EQUAL(chunk, 1);
    if (strncmp(lower, "monotonic", 9) == 0) CHECK(((unsigned) kind & 0x80000000u) != 0);
}

static void is_used(void)
{
    int size = 0;
#pragma omp parallel
    {
#pragma omp for schedule(runtime)
        for (int i = 0; i < SIZE; i++) {
            owner[i] = omp_get_thread_num();
            add_to_word(&counts[i], 1);
            if (i % 10 == 0) linger();
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(counts[i], 1);
    if (strcmp(text(), "static") == 0)
        for (int i = 1; i < SIZE; i++) CHECK(owner[i] >= owner[i - 1]);
    if (strcmp(text(), "static,4") == 0)
        for (int i = 0; i < SIZE; i++) CHECK_EQUAL(owner[i], i / 4 % size);
    if (strcmp(text(), "dynamic,7") == 0)
        for (int i = 0; i < SIZE; i++) CHECK_EQUAL(owner[i], owner[i - i % 7]);
}

int main(void)
{
    RUN(is_told);
    RUN(is_used);
    return finish();
}
