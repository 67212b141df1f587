/* 2.6.2 proc_bind and places: what is asked for is told, and the work is done wherever threads run. */
// run: OMP_PROC_BIND=false
// run: OMP_PROC_BIND=true OMP_PLACES=cores
// run: OMP_PROC_BIND=spread,close OMP_PLACES=threads
#include <omp.h>

#include "../check.h"

static int sum_of_team(int kind)
{
    int sum = 0;
    if (kind == 0) {
#pragma omp parallel proc_bind(close) reduction(+ : sum)
        sum += omp_get_thread_num() + 1;
    } else if (kind == 1) {
#pragma omp parallel proc_bind(spread) reduction(+ : sum)
        sum += omp_get_thread_num() + 1;
    } else {
#pragma omp parallel proc_bind(master) reduction(+ : sum)
        sum += omp_get_thread_num() + 1;
    }
    return sum;
}

static void teams_are_whole(void)
{
    omp_set_dynamic(0);
    omp_set_num_threads(3);
    for (int kind = 0; kind < 3; kind++) CHECK_EQUAL(sum_of_team(kind), 6);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void places(void)
{
    int number = omp_get_num_places();
    CHECK(number >= 0);
    for (int place = 0; place < number; place++) {
        int size = omp_get_place_num_procs(place);
        CHECK(size >= 1);
        int *processors = malloc((size_t) size * sizeof *processors);
        omp_get_place_proc_ids(place, processors);
        for (int i = 0; i < size; i++) CHECK(processors[i] >= 0);
        free(processors);
    }
    CHECK_EQUAL(omp_get_place_num_procs(-1), 0);
    CHECK_EQUAL(omp_get_place_num_procs(number), 0);
    CHECK(omp_get_place_num() >= -1 && omp_get_place_num() < (number ? number : 1));
    int partition = omp_get_partition_num_places();
    CHECK(partition >= 0 && partition <= number);
    int *numbers = malloc((size_t) (partition + 1) * sizeof *numbers);
    omp_get_partition_place_nums(numbers);
    for (int i = 0; i < partition; i++) CHECK(numbers[i] >= 0 && numbers[i] < number);
    free(numbers);
}

static void policies(void)
{
    omp_proc_bind_t policy = omp_get_proc_bind();
    CHECK(policy == omp_proc_bind_false || policy == omp_proc_bind_true || policy == omp_proc_bind_master ||
          policy == omp_proc_bind_close || policy == omp_proc_bind_spread);
    const char *text = getenv("OMP_PROC_BIND");
    if (text && strcmp(text, "false") == 0) CHECK(policy == omp_proc_bind_false);
}

int main(void)
{
    RUN(teams_are_whole);
    RUN(places);
    RUN(policies);
    return finish();
}
