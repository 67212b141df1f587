// Everything of the C and C++ library that threads share, from all of them at once: blocks that one allocates and
// another frees, lines to a stream and to a file, containers, shared pointers, statics. Each block and line is checked.
// Arguments: how many steps each thread does, a seed, and whether to write lines.
#include <malloc.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int slots = 64, shared_slots = 32;
std::atomic<int> wrong{0}, statics{0}, first_calls{0};
void *exchange[shared_slots];
FILE *file;

struct Random {
    uint32_t state;
    uint32_t operator()(uint32_t below)
    {
        state ^= state << 13, state ^= state >> 17, state ^= state << 5;
        return state % below;
    }
};

size_t any_size(Random &random)
{
    uint32_t kind = random(100);
    return sizeof(uint64_t) + random(kind < 70 ? 200 : kind < 90 ? 4000 : kind < 99 ? 40000 : 400000);
}

// Its size and a seed lie at the start of a block; the first bytes behind them, and the last ones, follow from the seed.
struct Head { uint32_t size, seed; };

template <typename Each> void each_checked(void *block, size_t size, Each each)
{
    for (size_t at = sizeof(Head); at < size; at++) {
        if (at == 200 && size > 400) at = size - 200;
        each(static_cast<unsigned char *>(block)[at], static_cast<unsigned char>(static_cast<Head *>(block)->seed + at));
    }
}

void *fill(void *block, size_t size, uint32_t seed)
{
    if (!block) return nullptr;
    *static_cast<Head *>(block) = {static_cast<uint32_t>(size), seed};
    each_checked(block, size, [](unsigned char &byte, unsigned char value) { byte = value; });
    return block;
}

void check(void *block, size_t size)
{
    wrong += malloc_usable_size(block) < size;
    each_checked(block, size, [](unsigned char byte, unsigned char value) { wrong += byte != value; });
}

void drop(void *block)
{
    if (block) check(block, static_cast<Head *>(block)->size);
    free(block);
}

void *other_size(void *block, Random &random)
{
    if (!block) return nullptr;
    size_t size = any_size(random), before = static_cast<Head *>(block)->size;
    void *moved = realloc(block, size);
    if (size >= 200 || size >= before) check(moved, size < before ? 200 : before);
    return fill(moved, size, random(1u << 30));
}

void *zeroed(Random &random)
{
    size_t size = any_size(random);
    auto *block = static_cast<unsigned char *>(calloc(1, size));
    for (size_t at = 0; block && at < size; at += size > 5000 ? 97 : 1) wrong += block[at] != 0;
    return fill(block, size, random(1u << 30));
}

void *aligned(Random &random)
{
    void *block = nullptr;
    size_t alignment = size_t{1} << (4 + random(9)), size = any_size(random);
    if (posix_memalign(&block, alignment, size)) return nullptr;
    wrong += reinterpret_cast<uintptr_t>(block) % alignment != 0;
    return fill(block, size, random(1u << 30));
}

void allocate(Random &random, int steps)
{
    void *mine[slots] = {};
    for (int step = 0; step < steps; step++) {
        void *&block = mine[random(slots)];
        uint32_t kind = random(100);
        if (kind < 25) {
            block = __atomic_exchange_n(&exchange[random(shared_slots)], block, __ATOMIC_ACQ_REL);
        } else if (kind < 40) {
            block = other_size(block, random);
        } else {
            drop(block);
            size_t size = any_size(random);
            block = kind < 60   ? fill(malloc(size), size, random(1u << 30))
                    : kind < 75 ? zeroed(random)
                    : kind < 85 ? aligned(random)
                                : nullptr;
        }
    }
    for (void *block : mine) drop(block);
}

struct Static {
    Static() { statics++; }
    int value = 7;
};

Static &the_static()
{
    static Static made;
    return made;
}

std::once_flag once;
std::mutex mutex;
thread_local std::vector<int> local;

int contain(Random &random, int steps, const std::shared_ptr<int> &shared, std::map<std::string, int> &all)
{
    std::map<std::string, int> own;
    std::vector<std::shared_ptr<int>> copies;
    int sum = 0;
    std::call_once(once, [] { first_calls++; });
    for (int step = 0; step < steps; step++) {
        own[std::to_string(random(100))] += 1;
        copies.push_back(shared);
        if (copies.size() > 20) copies.clear();
        local.push_back(step);
        sum += the_static().value + *shared;
    }
    wrong += local.size() != static_cast<size_t>(steps) || sum != steps * 12;
    local.clear();
    std::lock_guard<std::mutex> guard(mutex);
    for (const auto &[name, count] : own) all[name] += count;
    return sum;
}

void write_lines(int thread, int lines)
{
    for (int line = 0; line < lines; line++) {
        printf("printf %d %d %s\n", thread, line, "to the standard stream");
        fprintf(file, "fprintf %d %d %s\n", thread, line, "to a file");
        std::ostringstream text;
        text << "cout " << thread << ' ' << line << " from one string\n";
        std::cout << text.str();
        flockfile(stdout);
        fputs("pieces", stdout);
        printf(" %d", thread);
        putchar(' ');
        printf("%d\n", line);
        funlockfile(stdout);
    }
}

}  // namespace

int main(int count, char **arguments)
{
    int steps = count > 1 ? atoi(arguments[1]) : 2000, lines = count > 3 ? steps / 2 : 0;
    uint32_t seed = count > 2 ? static_cast<uint32_t>(atoi(arguments[2])) : 1;
    auto shared = std::make_shared<int>(5);
    std::map<std::string, int> all;
    file = fopen("/data/lines", "w");
    if (lines && !file) return 2;
    int threads = 0;
#pragma omp parallel reduction(+ : threads) num_threads(4)
    {
        Random random{seed * 7919u + static_cast<uint32_t>(omp_get_thread_num()) + 1};
        threads += 1;
        allocate(random, steps);
#pragma omp barrier
        write_lines(omp_get_thread_num(), lines);
        contain(random, steps, shared, all);
#pragma omp for schedule(dynamic)
        for (int task = 0; task < 32; task++) {
            std::unique_ptr<std::string> text(new std::string(static_cast<size_t>(task) * 10, 'x'));
#pragma omp task firstprivate(task)
            {
                std::vector<std::string> parts(20, std::string(static_cast<size_t>(task), 'y'));
                for (const auto &part : parts) wrong += part.size() != static_cast<size_t>(task);
            }
            wrong += text->size() != static_cast<size_t>(task) * 10;
        }
    }
    for (void *&block : exchange) drop(block), block = nullptr;
    int entries = 0;
    for (const auto &[name, times] : all) entries += times;
    wrong += entries != threads * steps || shared.use_count() != 1 || statics != 1 || first_calls != 1;
    fprintf(stderr, "%d threads, %d wrong\n", threads, wrong.load());
    return wrong != 0;
}
