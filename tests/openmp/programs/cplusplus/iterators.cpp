/* 2.11.1 loops over random access iterators, ranges, and iterators of one's own. */
#include <omp.h>

#include <array>
#include <deque>
#include <iterator>
#include <string>
#include <vector>

#include "../check.h"

static void of_vectors()
{
    std::vector<int> numbers(1000);
#pragma omp parallel for schedule(dynamic, 7)
    for (auto place = numbers.begin(); place < numbers.end(); ++place) *place = static_cast<int>(place - numbers.begin());
    for (int i = 0; i < 1000; i++) CHECK_EQUAL(numbers[static_cast<size_t>(i)], i);
    long long sum = 0, back = 0;
#pragma omp parallel for reduction(+ : sum)
    for (auto place = numbers.cbegin(); place != numbers.cend(); place++) sum += *place;
#pragma omp parallel for reduction(+ : back) schedule(static, 4)
    for (auto place = numbers.rbegin(); place < numbers.rend(); place += 3) back += *place;
    CHECK_EQUAL(sum, 499500);
    CHECK_EQUAL(back, 166833);
}

static void of_other_containers()
{
    std::deque<double> numbers(500, 0.5);
    std::array<short, 64> small{};
    std::string text(300, 'a');
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (auto place = numbers.begin(); place < numbers.end(); ++place) sum += *place;
#pragma omp parallel for
    for (auto place = small.begin(); place < small.end(); ++place) *place = 7;
#pragma omp parallel for schedule(guided)
    for (auto place = text.begin(); place != text.end(); ++place) *place = 'b';
    CHECK(sum == 250 && small[63] == 7 && text == std::string(300, 'b'));
}

static void of_ranges()
{
    std::vector<int> numbers(777, 2);
    long long sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int number : numbers) sum += number;
#pragma omp parallel for schedule(dynamic, 5)
    for (auto &number : numbers) number *= 3;
    CHECK_EQUAL(sum, 1554);
    for (int number : numbers) CHECK_EQUAL(number, 6);
    int list[] = {1, 2, 3, 4, 5, 6, 7};
    sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int number : list) sum += number;
    CHECK_EQUAL(sum, 28);
}

/* Steps over even numbers. */
struct evens {
    using iterator_category = std::random_access_iterator_tag;
    using value_type = long;
    using difference_type = std::ptrdiff_t;
    using pointer = const long *;
    using reference = long;
    long number;
    long operator*() const { return number; }
    evens &operator++() { number += 2; return *this; }
    evens &operator--() { number -= 2; return *this; }
    evens &operator+=(difference_type steps) { number += 2 * steps; return *this; }
    evens &operator-=(difference_type steps) { number -= 2 * steps; return *this; }
    friend evens operator+(evens one, difference_type steps) { return one += steps; }
    friend evens operator-(evens one, difference_type steps) { return one -= steps; }
    friend difference_type operator-(evens one, evens other) { return (one.number - other.number) / 2; }
    friend bool operator<(evens one, evens other) { return one.number < other.number; }
    friend bool operator<=(evens one, evens other) { return one.number <= other.number; }
    friend bool operator>(evens one, evens other) { return one.number > other.number; }
    friend bool operator!=(evens one, evens other) { return one.number != other.number; }
};

static void of_ones_own()
{
    long sum = 0, down = 0;
    evens start = {0}, end = {200}, last = {198}, before = {-2};
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 3)
    for (evens place = start; place < end; ++place) sum += *place;
#pragma omp parallel for reduction(+ : down)
    for (evens place = last; place > before; place -= 2) down += *place;
    CHECK_EQUAL(sum, 9900);
    CHECK_EQUAL(down, 5000);
}

static void collapsed_with_tasks()
{
    std::vector<int> rows(20), columns(30);
    int count = 0;
#pragma omp parallel for collapse(2) reduction(+ : count)
    for (auto row = rows.begin(); row < rows.end(); ++row)
        for (auto column = columns.begin(); column < columns.end(); ++column) count++;
    CHECK_EQUAL(count, 600);
    int tasks = 0;
#pragma omp parallel
#pragma omp single
#pragma omp taskloop grainsize(4) shared(tasks)
    for (auto row = rows.begin(); row < rows.end(); ++row) add_to_word(&tasks, 1);
    CHECK_EQUAL(tasks, 20);
}

int main()
{
    RUN(of_vectors);
    RUN(of_other_containers);
    RUN(of_ranges);
    RUN(of_ones_own);
    RUN(collapsed_with_tasks);
    return finish();
}
