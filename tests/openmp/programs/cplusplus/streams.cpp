/* Streams and text of C++ by many threads: whole pieces, nothing lost. */
#include <omp.h>

#include <iostream>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "../check.h"

static void string_streams()
{
    int wrong = 0;
#pragma omp parallel for schedule(dynamic, 3)
    for (int i = 0; i < 500; i++) {
        std::ostringstream out;
        out << i << ' ' << i * 0.5 << ' ' << std::hex << i;
        std::istringstream in(out.str());
        int number = -1, hex = -1;
        double real = -1;
        in >> number >> real >> std::hex >> hex;
        if (number != i || real != i * 0.5 || hex != i) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void text()
{
    int wrong = 0;
#pragma omp parallel for
    for (int i = 0; i < 2000; i++) {
        std::string one;
        for (int k = 0; k < i % 100; k++) one += static_cast<char>('a' + k % 26);
        if (one.size() != static_cast<size_t>(i % 100) || std::to_string(i).size() > 4 || std::stoi(std::to_string(i)) != i)
            add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void lines_under_critical()
{
    std::ostringstream out;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 300; i++) {
#pragma omp critical
        out << "line " << i << '\n';
    }
    std::istringstream in(out.str());
    std::string line;
    std::vector<int> seen(300);
    while (std::getline(in, line)) seen[static_cast<size_t>(std::stoi(line.substr(5)))]++;
    for (int count : seen) CHECK_EQUAL(count, 1);
}

static void hash_tables()
{
    std::unordered_map<int, std::string> table;
#pragma omp parallel for schedule(dynamic, 10)
    for (int i = 0; i < 2000; i++) {
        std::unordered_map<std::string, int> mine;
        for (int k = 0; k < 20; k++) mine[std::to_string(i + k)] = k;
        std::string all;
        for (int k = 0; k < 20; k++) all += std::to_string(mine[std::to_string(i + k)]);
#pragma omp critical
        table[i] = all;
    }
    CHECK_EQUAL(table.size(), 2000);
    for (const auto &entry : table) CHECK(entry.second == "012345678910111213141516171819");
}

static void standard_output()
{
    std::cout << "  from cout\n" << std::flush;
#pragma omp parallel for ordered schedule(static, 1)
    for (int i = 0; i < 8; i++) {
#pragma omp ordered
        std::cout << "  in order " << i << '\n';
    }
    std::cout << std::flush;
    CHECK(std::cout.good());
}

int main()
{
    RUN(string_streams);
    RUN(text);
    RUN(lines_under_critical);
    RUN(hash_tables);
    RUN(standard_output);
    return finish();
}
