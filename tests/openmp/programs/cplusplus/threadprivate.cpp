/* 2.21.2 threadprivate objects of classes, members and templates; copyin and copyprivate of them. */
#include <omp.h>

#include <string>
#include <vector>

#include "../check.h"

static int made;

struct state {
    int number = 10;
    std::string text = "a text of more than twenty-two letters";
    state() { add_to_word(&made, 1); }
    state(const state &) = default;
    state &operator=(const state &) = default;
};

extern state own;
#pragma omp threadprivate(own)
state own;

struct holder {
    static int counter;
#pragma omp threadprivate(counter)
};
int holder::counter = 3;

template <typename value>
struct general {
    static int stored;
#pragma omp threadprivate(stored)
};
template <typename value>
int general<value>::stored = 6;

static void made_for_each_thread()
{
    int wrong = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(4) shared(wrong)
    {
        if (own.number != 10 || own.text.size() != 38) add_to_word(&wrong, 1);
        own.number = omp_get_thread_num();
        own.text += std::to_string(own.number);
        linger();
        if (own.number != omp_get_thread_num() || own.text.size() != 39) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(made, 4);
#pragma omp parallel num_threads(4) shared(wrong)
    if (own.number != omp_get_thread_num()) add_to_word(&wrong, 1);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(made, 4);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void copied_in()
{
    int wrong = 0;
    own.number = 77;
    own.text = "short";
#pragma omp parallel copyin(own) shared(wrong)
    {
        if (own.number != 77 || own.text != "short") add_to_word(&wrong, 1);
#pragma omp barrier
#pragma omp single copyprivate(own)
        {
            own.number = 5;
            own.text = std::string(100, 'x');
        }
        if (own.number != 5 || own.text.size() != 100) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void members_and_templates()
{
    int wrong = 0;
    holder::counter = 3;
    general<long>::stored = 6;
#pragma omp parallel copyin(holder::counter) shared(wrong)
    {
        if (holder::counter != 3) add_to_word(&wrong, 1);
        holder::counter += omp_get_thread_num();
        general<long>::stored = 100 + omp_get_thread_num();
        linger();
        if (holder::counter != 3 + omp_get_thread_num()) add_to_word(&wrong, 1);
        if (general<long>::stored != 100 + omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

int main()
{
    RUN(made_for_each_thread);
    RUN(copied_in);
    RUN(members_and_templates);
    return finish();
}
