/* Constructs inside of member functions, lambdas, templates, virtual functions; members as private data. */
#include <omp.h>

#include <functional>
#include <memory>
#include <vector>

#include "../check.h"

class field {
public:
    explicit field(int size) : values(static_cast<size_t>(size), 1.0), factor(2) {}
    virtual ~field() = default;
    virtual double changed(double value) const { return value * factor; }
    void change()
    {
#pragma omp parallel for schedule(dynamic, 16)
        for (size_t i = 0; i < values.size(); i++) values[i] = changed(values[i]);
    }
    double sum() const
    {
        double total = 0;
#pragma omp parallel for reduction(+ : total)
        for (size_t i = 0; i < values.size(); i++) total += values[i];
        return total;
    }
    int private_member()
    {
        int wrong = 0;
#pragma omp parallel firstprivate(factor) shared(wrong)
        {
            if (factor != 2) add_to_word(&wrong, 1);
            factor = omp_get_thread_num() + 100;
            linger();
            if (factor != omp_get_thread_num() + 100) add_to_word(&wrong, 1);
        }
        return wrong == 0 && factor == 2;
    }

protected:
    std::vector<double> values;
    int factor;
};

class shifted final : public field {
public:
    using field::field;
    double changed(double value) const override { return value + factor; }
};

static void member_functions()
{
    field one(1000);
    one.change();
    CHECK(one.sum() == 2000);
    std::unique_ptr<field> other = std::make_unique<shifted>(1000);
    other->change();
    other->change();
    CHECK(other->sum() == 5000);
    CHECK(one.private_member());
}

static void lambdas()
{
    int total = 0, offset = 3;
    auto work = [&total, offset](int number) {
#pragma omp parallel for
        for (int i = 0; i < number; i++) add_to_word(&total, offset);
    };
    work(100);
    CHECK_EQUAL(total, 300);
#pragma omp parallel
    {
        auto mine = [&](int times) {
            for (int i = 0; i < times; i++) add_to_word(&total, 1);
        };
#pragma omp single
        mine(50);
    }
    CHECK_EQUAL(total, 350);
    std::function<int(int)> recursive = [&](int n) -> int {
        int left = 0, right = 0;
        if (n < 2) return n;
#pragma omp task shared(left, recursive)
        left = recursive(n - 1);
#pragma omp task shared(right, recursive)
        right = recursive(n - 2);
#pragma omp taskwait
        return left + right;
    };
    int result = 0;
#pragma omp parallel
#pragma omp single
    result = recursive(15);
    CHECK_EQUAL(result, 610);
}

template <typename type, int size>
static type power_sum()
{
    type sum{};
#pragma omp parallel for schedule(static, 3) reduction(+ : sum)
    for (int i = 0; i < size; i++) sum += static_cast<type>(i) * static_cast<type>(i);
    return sum;
}

static void templates()
{
    CHECK((power_sum<int, 10>() == 285));
    CHECK((power_sum<double, 100>() == 328350));
    CHECK((power_sum<long long, 1000>() == 332833500));
}

static void objects_that_are_shared()
{
    std::vector<std::vector<int>> found(8);
    int size = 0;
#pragma omp parallel num_threads(8)
    {
        auto &mine = found[static_cast<size_t>(omp_get_thread_num())];
#pragma omp for
        for (int i = 0; i < 5000; i++) mine.push_back(i);
#pragma omp master
        size = omp_get_num_threads();
    }
    size_t total = 0;
    long long sum = 0;
    for (const auto &list : found) {
        total += list.size();
        for (int number : list) sum += number;
    }
    CHECK(size >= 1);
    CHECK_EQUAL(total, 5000);
    CHECK_EQUAL(sum, 12497500);
}

int main()
{
    RUN(member_functions);
    RUN(lambdas);
    RUN(templates);
    RUN(objects_that_are_shared);
    return finish();
}
