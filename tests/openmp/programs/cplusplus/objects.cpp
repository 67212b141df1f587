/* 2.21.4 C++ objects as private, firstprivate and lastprivate: which constructors run, how often, and that all is
 * destroyed. */
#include <omp.h>

#include <string>
#include <vector>

#include "../check.h"

static int made, copied, assigned, destroyed;

struct counted {
    int value;
    counted() : value(-1) { add_to_word(&made, 1); }
    explicit counted(int number) : value(number) { add_to_word(&made, 1); }
    counted(const counted &other) : value(other.value) { add_to_word(&copied, 1); }
    counted &operator=(const counted &other)
    {
        value = other.value;
        add_to_word(&assigned, 1);
        return *this;
    }
    ~counted() { add_to_word(&destroyed, 1); }
};

static void forget() { made = copied = assigned = destroyed = 0; }

static void private_objects()
{
    forget();
    {
        counted one(5);
        int size = 0, wrong = 0;
#pragma omp parallel private(one) shared(size, wrong)
        {
            if (one.value != -1) add_to_word(&wrong, 1);
            one.value = omp_get_thread_num();
            linger();
            if (one.value != omp_get_thread_num()) add_to_word(&wrong, 1);
#pragma omp master
            size = omp_get_num_threads();
        }
        CHECK_EQUAL(wrong, 0);
        CHECK_EQUAL(made, 1 + size);
        CHECK_EQUAL(destroyed, size);
        CHECK_EQUAL(one.value, 5);
    }
    CHECK_EQUAL(made + copied, destroyed);
}

static void firstprivate_objects()
{
    forget();
    {
        counted one(7);
        std::string text = "a text that is too long for the object itself";
        std::vector<int> numbers(100, 3);
        int size = 0, wrong = 0;
#pragma omp parallel firstprivate(one, text, numbers) shared(size, wrong)
        {
            if (one.value != 7 || text.size() != 45 || numbers.size() != 100 || numbers[99] != 3) add_to_word(&wrong, 1);
            one.value++;
            text += "!";
            numbers.push_back(omp_get_thread_num());
            linger();
            if (text.size() != 46 || numbers.back() != omp_get_thread_num()) add_to_word(&wrong, 1);
#pragma omp master
            size = omp_get_num_threads();
        }
        CHECK_EQUAL(wrong, 0);
        CHECK_EQUAL(copied, size);
        CHECK_EQUAL(one.value, 7);
        CHECK(text.size() == 45 && numbers.size() == 100);
    }
    CHECK_EQUAL(made + copied, destroyed);
}

static void lastprivate_objects()
{
    forget();
    {
        counted one(3);
        std::string text;
#pragma omp parallel for lastprivate(one, text) schedule(dynamic, 3)
        for (int i = 0; i < 100; i++) {
            one.value = i;
            text = "number " + std::to_string(i);
        }
        CHECK_EQUAL(one.value, 99);
        CHECK(text == "number 99");
        CHECK_EQUAL(assigned, 1);
    }
    CHECK_EQUAL(made + copied, destroyed);
}

static void arrays_of_objects()
{
    forget();
    {
        counted list[4];
        int wrong = 0;
        for (int i = 0; i < 4; i++) list[i].value = i;
#pragma omp parallel firstprivate(list) shared(wrong)
        for (int i = 0; i < 4; i++)
            if (list[i].value != i) add_to_word(&wrong, 1);
        CHECK_EQUAL(wrong, 0);
    }
    CHECK_EQUAL(made + copied, destroyed);
}

static void copyprivate_objects()
{
    int wrong = 0;
#pragma omp parallel
    {
        std::string text;
        std::vector<double> numbers;
#pragma omp single copyprivate(text, numbers)
        {
            text = "from one to all, in a string of some length";
            numbers.assign(50, 2.5);
        }
        if (text.size() != 43 || numbers.size() != 50 || numbers[49] != 2.5) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void objects_of_tasks()
{
    forget();
    int sum = 0;
    {
#pragma omp parallel
#pragma omp single
        for (int i = 0; i < 100; i++) {
            counted one(i);
            std::vector<int> numbers(static_cast<size_t>(i + 1), i);
#pragma omp task firstprivate(one, numbers) shared(sum)
            add_to_word(&sum, one.value + numbers[static_cast<size_t>(i)]);
            one.value = -1000;
            numbers.clear();
        }
    }
    CHECK_EQUAL(sum, 9900);
    CHECK_EQUAL(made + copied, destroyed);
}

int main()
{
    RUN(private_objects);
    RUN(firstprivate_objects);
    RUN(lastprivate_objects);
    RUN(arrays_of_objects);
    RUN(copyprivate_objects);
    RUN(objects_of_tasks);
    return finish();
}
