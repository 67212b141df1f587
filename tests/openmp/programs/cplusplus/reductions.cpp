/* 2.21.5.7 declare reduction for classes and containers: vectors that are joined, maps that are merged, templates. */
#include <omp.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "../check.h"

#pragma omp declare reduction(join : std::vector<int> : omp_out.insert(omp_out.end(), omp_in.begin(), omp_in.end()))

static void merge(std::map<std::string, int> &out, const std::map<std::string, int> &in)
{
    for (const auto &entry : in) out[entry.first] += entry.second;
}
#pragma omp declare reduction(merge : std::map<std::string, int> : merge(omp_out, omp_in))

struct vector3 {
    double x = 0, y = 0, z = 0;
    vector3 &operator+=(const vector3 &other)
    {
        x += other.x, y += other.y, z += other.z;
        return *this;
    }
};
#pragma omp declare reduction(+ : vector3 : omp_out += omp_in)

template <typename number>
struct bounds {
    number low, high;
    void add(number one)
    {
        low = std::min(low, one);
        high = std::max(high, one);
    }
};

template <typename number>
static void widen(bounds<number> &out, const bounds<number> &in)
{
    out.add(in.low);
    out.add(in.high);
}
#pragma omp declare reduction(widen : bounds<int>, bounds<double> : widen(omp_out, omp_in)) initializer(omp_priv = omp_orig)

static void vectors()
{
    std::vector<int> found = {-1};
#pragma omp parallel for reduction(join : found) schedule(dynamic, 5)
    for (int i = 0; i < 1000; i++)
        if (i % 7 == 0) found.push_back(i);
    std::sort(found.begin(), found.end());
    CHECK_EQUAL(found.size(), 144);
    for (size_t i = 0; i < found.size(); i++) CHECK_EQUAL(found[i], i == 0 ? -1 : 7 * (static_cast<int>(i) - 1));
}

static void maps()
{
    std::map<std::string, int> counts;
#pragma omp parallel for reduction(merge : counts)
    for (int i = 0; i < 3000; i++) counts["word" + std::to_string(mix(static_cast<unsigned>(i)) % 10)]++;
    int total = 0;
    for (const auto &entry : counts) {
        SHOW("%s %d", entry.first.c_str(), entry.second);
        total += entry.second;
    }
    CHECK_EQUAL(total, 3000);
}

static void operators()
{
    vector3 sum;
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < 100; i++) sum += vector3{1.0 * i, 0.5, -1.0};
    CHECK(sum.x == 4950 && sum.y == 50 && sum.z == -100);
    vector3 parts[2];
#pragma omp parallel for reduction(+ : parts)
    for (int i = 0; i < 100; i++) parts[i % 2] += vector3{1, 2, 3};
    CHECK(parts[0].x == 50 && parts[1].z == 150);
}

static void templates()
{
    bounds<int> whole = {0, 0};
    bounds<double> real = {0.5, 0.5};
#pragma omp parallel for reduction(widen : whole, real)
    for (int i = -50; i < 100; i++) {
        whole.add(i);
        real.add(i * 0.25);
    }
    CHECK(whole.low == -50 && whole.high == 99);
    CHECK(real.low == -12.5 && real.high == 24.75);
}

template <typename number>
static number sum_of(const std::vector<number> &numbers)
{
    number sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (size_t i = 0; i < numbers.size(); i++) sum += numbers[i];
    return sum;
}

static void in_templates()
{
    CHECK(sum_of(std::vector<int>(100, 3)) == 300);
    CHECK(sum_of(std::vector<double>(1000, 0.5)) == 500);
    CHECK(sum_of(std::vector<unsigned char>(300, 1)) == 44);
}

struct holder {
    int total = 0;
    int *place = &total;
    void add_all(int number)
    {
#pragma omp parallel for reduction(+ : total)
        for (int i = 0; i < number; i++) total += i;
    }
};

static void members()
{
    holder one;
    one.add_all(100);
    one.add_all(10);
    CHECK_EQUAL(one.total, 4995);
}

static void references()
{
    int sum = 0, &name = sum;
#pragma omp parallel for reduction(+ : name)
    for (int i = 0; i < 100; i++) name += i;
    CHECK_EQUAL(sum, 4950);
}

int main()
{
    RUN(vectors);
    RUN(maps);
    RUN(operators);
    RUN(templates);
    RUN(in_templates);
    RUN(members);
    RUN(references);
    return finish();
}
