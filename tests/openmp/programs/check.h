/* What every program of the suite uses: tests that check themselves, and results that are compared between runtimes.
 *
 * A program is a few tests, functions without parameters, run one after the other by RUN in main, which ends with
 * `return finish();`. CHECK may be called by any thread. What is printed with SHOW is the same for every runtime and every
 * number of threads. Nothing here uses OpenMP, which is what is under test. */
#ifndef OPENMP_CHECK_H
#define OPENMP_CHECK_H

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int failures_of_test, failures_of_all;

/* Counts a failure, and tells the first few of each test. */
static inline void check_that(int right, const char *what, const char *file, int line)
{
    if (right) return;
    if (__atomic_fetch_add(&failures_of_test, 1, __ATOMIC_RELAXED) >= 3) return;
    char text[700];
    const char *name = strrchr(file, '/');
    snprintf(text, sizeof text, "  wrong, %s:%d: %s\n", name ? name + 1 : file, line, what);
    fputs(text, stdout);
}

#define CHECK(...) check_that(!!(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define CHECK_EQUAL(seen, wanted)                                                                         \
    do {                                                                                                  \
        long long seen_ = (long long) (seen), wanted_ = (long long) (wanted);                             \
        char text_[600];                                                                                  \
        if (seen_ != wanted_) {                                                                           \
            snprintf(text_, sizeof text_, "%s is %lld, not %lld", #seen, seen_, wanted_);                 \
            check_that(0, text_, __FILE__, __LINE__);                                                     \
        }                                                                                                 \
    } while (0)

/* A result: the same on every runtime. Called by one thread at a time. */
#define SHOW(...) (printf("  "), printf(__VA_ARGS__), printf("\n"))

static inline void run_test(const char *name, void (*test)(void))
{
    failures_of_test = 0;
    test();
    printf("%s %s\n", name, failures_of_test ? "FAILED" : "passed");
    fflush(stdout);
    failures_of_all += failures_of_test > 0;
}
#define RUN(name) run_test(#name, name)

static inline int finish(void)
{
    printf("%s\n", failures_of_all ? "failed" : "all passed");
    return failures_of_all > 0;
}

/* Whether teams may be smaller than asked for, unless a test forbids it: in cells, where the platform decides. libgomp's
 * would be as small as the machine is busy, and then find little. */
#ifdef __wasm__
#define USUALLY_DYNAMIC 1
#else
#define USUALLY_DYNAMIC 0
#endif

/* Lets others in: called where an error shows only if threads meet. Now and then it sleeps, so that they meet on a busy
 * machine, too. */
static inline void linger(void)
{
    static int calls;
    volatile int step = 0;
    while (step < 100) step = step + 1;
    if (__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 16 == 0) {
        struct timespec pause = {0, 20000};
        nanosleep(&pause, NULL);
    } else {
        sched_yield();
    }
}

/* Adds 1 in a way that loses counts unless threads are kept apart. */
static inline void slow_increment(volatile int *counter)
{
    int seen = *counter;
    linger();
    *counter = seen + 1;
}

/* The same mixing of bits everywhere, for numbers that look random. */
static inline unsigned mix(unsigned number)
{
    number ^= number >> 16;
    number *= 0x7feb352du;
    number ^= number >> 15;
    number *= 0x846ca68bu;
    return number ^ (number >> 16);
}

/* For words that threads pass to each other without OpenMP. */
static inline int read_word(int *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void write_word(int *word, int value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline int add_to_word(int *word, int value)
{
    return __atomic_add_fetch(word, value, __ATOMIC_ACQ_REL);
}
static inline void wait_for_word(int *word, int value)
{
    while (read_word(word) < value) sched_yield();
}

#endif
