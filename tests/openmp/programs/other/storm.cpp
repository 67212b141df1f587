/* Everything at once: tasks that make tasks, memory taken and given back, files, text, containers, criticals, locks,
 * reductions, loops. Run hundreds of times by benchmarks/cells/openmp.py: it must neither hang nor be wrong. */
#include <omp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../check.h"

static std::map<std::string, int> words;
static FILE *file;
static omp_lock_t lock;
static int nodes;

static int tree(int depth, unsigned seed)
{
    std::unique_ptr<char[]> block(new char[16 + seed % 900]);
    memset(block.get(), static_cast<int>(seed & 127), 16 + seed % 900);
    add_to_word(&nodes, 1);
    if (depth == 0) return block[8] == static_cast<char>(seed & 127);
    int left = 0, right = 0;
    std::string name = "word" + std::to_string(seed % 23);
#pragma omp task shared(left) firstprivate(seed)
    left = tree(depth - 1, mix(seed));
#pragma omp task shared(right) firstprivate(seed)
    right = tree(depth - 1, mix(seed + 1));
#pragma omp critical(words)
    words[name]++;
#pragma omp taskwait
    fprintf(file, "%u %d\n", seed, depth);
    return left + right;
}

static void tasks_and_memory()
{
    int leaves = 0;
    nodes = 0;
#pragma omp parallel
#pragma omp single
    leaves = tree(8, 12345);
    CHECK_EQUAL(leaves, 256);
    CHECK_EQUAL(nodes, 511);
    int total = 0;
    for (const auto &entry : words) total += entry.second;
    CHECK_EQUAL(total, 255);
    char line[100];
    int lines = 0;
    rewind(file);
    while (fgets(line, sizeof line, file)) lines += strchr(line, ' ') != nullptr && strchr(line, '\n') != nullptr;
    CHECK_EQUAL(lines, 255);
}

static void loops_and_containers()
{
    std::vector<std::string> found;
    long long sum = 0;
    int guarded = 0;
#pragma omp parallel
    {
        std::vector<std::string> mine;
#pragma omp for schedule(dynamic, 7) reduction(+ : sum) nowait
        for (int i = 0; i < 3000; i++) {
            mine.push_back(std::to_string(i * 7));
            sum += static_cast<long long>(mine.back().size());
            if (i % 100 == 0) {
                omp_set_lock(&lock);
                slow_increment(&guarded);
                omp_unset_lock(&lock);
            }
        }
#pragma omp critical
        for (auto &text : mine) found.push_back(std::move(text));
    }
    CHECK_EQUAL(found.size(), 3000);
    long long wanted = 0;
    for (const auto &text : found) wanted += static_cast<long long>(text.size());
    CHECK_EQUAL(sum, wanted);
    CHECK_EQUAL(guarded, 30);
    SHOW("characters: %lld", sum);
}

static void dependent_tasks()
{
    std::vector<int> cells(12);
    int *place = cells.data();
#pragma omp parallel
#pragma omp single
    for (int step = 0; step < 200; step++) {
        int at = static_cast<int>(mix(static_cast<unsigned>(step)) % 11);
#pragma omp task depend(inout : place[at], place[at + 1]) firstprivate(place, at, step)
        {
            std::string text(static_cast<size_t>(place[at] % 50 + 1), 'x');
            place[at] += static_cast<int>(text.size());
            place[at + 1] = place[at] % 1000 + step;
        }
    }
    std::vector<int> wanted(12);
    for (int step = 0; step < 200; step++) {
        size_t at = mix(static_cast<unsigned>(step)) % 11;
        wanted[at] += wanted[at] % 50 + 1;
        wanted[at + 1] = wanted[at] % 1000 + step;
    }
    for (size_t i = 0; i < 12; i++) CHECK_EQUAL(cells[i], wanted[i]);
}

int main()
{
    omp_init_lock(&lock);
    file = fopen("storm.tmp", "w+");
    if (!file) return 2;
    RUN(tasks_and_memory);
    RUN(loops_and_containers);
    RUN(dependent_tasks);
    fclose(file);
    remove("storm.tmp");
    omp_destroy_lock(&lock);
    return finish();
}
