/* 2.19.6 taskgroup: its end waits for all descendants; task_reduction and in_reduction, reductions of tasks. */
#include <omp.h>

#include "../check.h"

static void waits_for_descendants(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int round = 0; round < 100; round++) {
        int done = 0;
#pragma omp taskgroup
        for (int i = 0; i < 4; i++) {
#pragma omp task shared(done)
            {
                for (int k = 0; k < 3; k++) {
#pragma omp task shared(done)
                    {
                        if (k == 1) linger();
                        add_to_word(&done, 1);
                    }
                }
            }
        }
        if (done != 12) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void only_for_its_own(void)
{
    int release = 0, passed = 0, begun = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
#pragma omp single
    {
#pragma omp task shared(release, passed, begun)
        {
            write_word(&begun, 1);
            wait_for_word(&release, 1);  /* would hang if the group waited for it */
            passed = 1;
        }
        int started = 0;
        wait_for_word(&begun, 1);
#pragma omp taskgroup
        {
#pragma omp task shared(started)
            add_to_word(&started, 1);
        }
        CHECK_EQUAL(started, 1);
        write_word(&release, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(passed, 1);
}

static void nested_groups(void)
{
    int wrong = 0, total = 0;
#pragma omp parallel
#pragma omp single
#pragma omp taskgroup
    {
        for (int i = 0; i < 5; i++) {
#pragma omp task shared(total, wrong)
            {
                int inner = 0;
#pragma omp taskgroup
                for (int k = 0; k < 5; k++) {
#pragma omp task shared(inner)
                    add_to_word(&inner, 1);
                }
                if (inner != 5) add_to_word(&wrong, 1);
                add_to_word(&total, inner);
            }
        }
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(total, 25);
}

static int nodes;

static void add_tree(int depth)
{
#pragma omp task in_reduction(+ : nodes) firstprivate(depth)
    {
        nodes += 1;
        if (depth) {
            add_tree(depth - 1);
            add_tree(depth - 1);
#pragma omp taskwait
        }
    }
}

static void task_reduction(void)
{
    int sum = 100, product = 1, most = -5;
    double real = 0;
#pragma omp parallel
#pragma omp single
    {
#pragma omp taskgroup task_reduction(+ : sum, real) task_reduction(* : product) task_reduction(max : most)
        for (int i = 0; i < 200; i++) {
#pragma omp task in_reduction(+ : sum, real) in_reduction(* : product) in_reduction(max : most)
            {
                sum += i;
                real += i * 0.5;
                if (i % 20 == 0) product *= 2;
                if (i > most) most = i;
            }
        }
        CHECK_EQUAL(sum, 20000);
    }
    CHECK(real == 9950 && product == 1024 && most == 199);
}

static void of_arrays(void)
{
    int counts[10] = {0};
#pragma omp parallel
#pragma omp single
#pragma omp taskgroup task_reduction(+ : counts)
    for (int i = 0; i < 100; i++) {
#pragma omp task in_reduction(+ : counts)
        counts[i % 10] += i;
    }
    for (int i = 0; i < 10; i++) CHECK_EQUAL(counts[i], 450 + 10 * i);
}

static void of_a_tree(void)
{
    nodes = 0;
#pragma omp parallel
#pragma omp single
#pragma omp taskgroup task_reduction(+ : nodes)
    add_tree(6);
    CHECK_EQUAL(nodes, 127);
}

static void of_nested_groups(void)
{
    int outer = 0, inner = 0;
#pragma omp parallel
#pragma omp single
#pragma omp taskgroup task_reduction(+ : outer)
    {
        for (int i = 0; i < 6; i++) {
#pragma omp task in_reduction(+ : outer) shared(inner)
            {
                int mine = 0;
#pragma omp taskgroup task_reduction(+ : mine)
                for (int k = 0; k < 6; k++) {
#pragma omp task in_reduction(+ : mine)
                    mine += k;
                }
                outer += mine;
                add_to_word(&inner, 1);
            }
        }
    }
    CHECK_EQUAL(outer, 90);
    CHECK_EQUAL(inner, 6);
}

static void reduction_with_task_modifier(void)
{
    int sum = 0, size = 0;
#pragma omp parallel reduction(task, + : sum)
    {
#pragma omp master
        size = omp_get_num_threads();
        sum += 1;
#pragma omp task in_reduction(+ : sum)
        sum += 10;
#pragma omp task in_reduction(+ : sum)
        sum += 100;
    }
    CHECK_EQUAL(sum, 111 * size);
    sum = 0;
#pragma omp parallel
#pragma omp for reduction(task, + : sum)
    for (int i = 0; i < 50; i++) {
#pragma omp task in_reduction(+ : sum)
        sum += i;
    }
    CHECK_EQUAL(sum, 1225);
}

int main(void)
{
    RUN(waits_for_descendants);
    RUN(only_for_its_own);
    RUN(nested_groups);
    RUN(task_reduction);
    RUN(of_arrays);
    RUN(of_a_tree);
    RUN(of_nested_groups);
    RUN(reduction_with_task_modifier);
    return finish();
}
