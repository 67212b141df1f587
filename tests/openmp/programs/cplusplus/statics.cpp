/* Static objects of functions are made once, however many threads come first; thread_local and threadprivate objects
 * once for each thread; atomics and mutual exclusion of C++. */
#include <omp.h>

#include <atomic>
#include <string>
#include <vector>

#include "../check.h"

static int makings;

struct slow {
    std::vector<int> numbers;
    slow()
    {
        add_to_word(&makings, 1);
        for (int i = 0; i < 100; i++) {
            numbers.push_back(i);
            if (i % 25 == 0) linger();
        }
    }
};

template <int number>
static int use_static()
{
    static slow one;
    return one.numbers.size() == 100 && one.numbers[99] == 99 ? 0 : 1;
}

template <int number>
static void meet(int &wrong)
{
    int arrived = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(4) shared(arrived, wrong)
    {
        add_to_word(&arrived, 1);
        wait_for_word(&arrived, 4);
        add_to_word(&wrong, use_static<number>());
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void made_once()
{
    int wrong = 0;
    makings = 0;
    meet<0>(wrong), meet<1>(wrong), meet<2>(wrong), meet<3>(wrong), meet<4>(wrong);
    meet<5>(wrong), meet<6>(wrong), meet<7>(wrong), meet<8>(wrong), meet<9>(wrong);
    meet<0>(wrong), meet<9>(wrong);
    CHECK_EQUAL(makings, 10);
    CHECK_EQUAL(wrong, 0);
}

/* While one thread makes an object, another makes a different one: neither waits for the other. */
static int inside;
struct waiting {
    waiting()
    {
        add_to_word(&inside, 1);
        wait_for_word(&inside, 2);
    }
    int value = 3;
};
static int first_static() { static waiting one; return one.value; }
static int second_static() { static waiting one; return one.value; }

static void different_ones_at_once()
{
    int sum = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(2) reduction(+ : sum)
    sum += omp_get_thread_num() ? first_static() : second_static();
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(sum, 6);
}

struct named {
    std::string name = "a name that is kept outside of the object";
    int uses = 0;
};
static thread_local named own;

static void thread_locals()
{
    int wrong = 0;
    omp_set_dynamic(0);
    for (int round = 1; round < 20; round++) {
#pragma omp parallel num_threads(3) shared(wrong)
        {
            if (own.name.size() != 41) add_to_word(&wrong, 1);
            own.uses++;
            linger();
            if (own.uses != round) add_to_word(&wrong, 1);
        }
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
}

static void atomics()
{
    std::atomic<long> count{0};
    std::atomic<double> real{0};
    std::atomic_flag flag = ATOMIC_FLAG_INIT;
    int guarded = 0, size = 0;
#pragma omp parallel shared(count, real, flag, guarded, size)
    {
        for (int i = 0; i < 500; i++) {
            count++;
            for (double seen = real; !real.compare_exchange_weak(seen, seen + 0.5);) continue;
            while (flag.test_and_set(std::memory_order_acquire)) sched_yield();
            guarded++;
            flag.clear(std::memory_order_release);
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK(count == 500 * size && real == 250.0 * size && guarded == 500 * size);
}

int main()
{
    RUN(made_once);
    RUN(different_ones_at_once);
    RUN(thread_locals);
    RUN(atomics);
    return finish();
}
