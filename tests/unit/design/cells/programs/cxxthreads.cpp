// std::thread and what goes with it; prints what is wrong, or "ok". With an argument, a thread ends the program.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<int> made{0}, ended{0};
int wrong = 0;

struct Static {
    Static() { made++; }
};

struct Local {
    int value = 3;
    ~Local() { ended++; }
};

thread_local Local local;

void expect(bool condition, int line)
{
    if (!condition) std::cout << "line " << line << " is wrong\n", wrong++;
}
#define EXPECT(condition) expect(condition, __LINE__)

void work(int number, const std::shared_ptr<int> &shared, std::once_flag &once, int &onces)
{
    static Static first;
    EXPECT(local.value == 3);
    local.value = number;
    std::call_once(once, [&] { onces++; });
    std::vector<std::shared_ptr<int>> copies;
    for (int i = 0; i < 20000; i++) {
        copies.push_back(shared);
        if (copies.size() > 30) copies.clear();
    }
    for (int i = 0; i < 20; i++) std::cout << std::string("thread ") + std::to_string(number) + "\n";
    EXPECT(local.value == number);
}

void together()
{
    std::mutex mutex;
    std::shared_mutex table;
    std::condition_variable changed;
    std::once_flag once;
    bool begun = false;
    int onces = 0, reads = 0;
    auto shared = std::make_shared<int>(1);
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; number++)
        threads.emplace_back([&, number] {
            {
                std::unique_lock<std::mutex> held(mutex);
                changed.wait(held, [&] { return begun; });
            }
            work(number, shared, once, onces);
            std::unique_lock<std::shared_mutex> held(table);
            reads++;
        });
    {
        std::lock_guard<std::mutex> held(mutex);
        begun = true;
    }
    changed.notify_all();
    for (auto &thread : threads) thread.join();
    EXPECT(made == 1 && ended == 4 && onces == 1 && shared.use_count() == 1 && reads == 4);
}

}  // namespace

int main(int count, char **)
{
    if (count > 1) {
        std::thread other([] {
            std::cout << "ended by a thread\n";
            exit(7);
        });
        other.join();
    }
    together();
    auto later = std::async(std::launch::async, [] { return 42; });
    EXPECT(later.get() == 42);
    std::atomic<int> word{0};
    std::thread waker([&] { word = 1, word.notify_one(); });
    word.wait(0);
    waker.join();
    if (!wrong) std::cout << "ok\n";
    return wrong;
}
