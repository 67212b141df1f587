/* What pthread.h declares, with several threads; each check prints what it is if it fails. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, TIMES = 2000 };
#define CHECK(true_if_right) \
    do { \
        if (!(true_if_right)) printf("line %d: %s\n", __LINE__, #true_if_right), failed = 1; \
    } while (0)

static volatile int failed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, recursive;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t places;
static int onces, counted, spun, recursed, turn, written[2], serial, inside;
static volatile int ended_keys;
static _Thread_local int own = 11;

static void begin_once(void) { onces++; }
static void end_key(void *value) { __atomic_fetch_add(&ended_keys, (int) (intptr_t) value, __ATOMIC_SEQ_CST); }

static void *work(void *argument)
{
    int number = (int) (intptr_t) argument;
    CHECK(own == 11);
    own = number;
    pthread_once(&once, begin_once);
    CHECK(pthread_setspecific(key, (void *) (intptr_t) (number + 1)) == 0);
    for (int i = 0; i < TIMES; i++) {
        pthread_mutex_lock(&mutex);
        counted++;
        pthread_mutex_unlock(&mutex);
        pthread_spin_lock(&spin);
        spun++;
        pthread_spin_unlock(&spin);
        pthread_mutex_lock(&recursive);
        pthread_mutex_lock(&recursive);
        recursed++;
        pthread_mutex_unlock(&recursive);
        pthread_mutex_unlock(&recursive);
        if (i % 10 == 0) {
            pthread_rwlock_wrlock(&table);
            written[0]++;
            written[1]++;
        } else {
            pthread_rwlock_rdlock(&table);
            CHECK(written[0] == written[1]);
        }
        pthread_rwlock_unlock(&table);
    }
    sem_wait(&places);
    CHECK(__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) <= 2);
    __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
    sem_post(&places);
    for (int round = 0; round < 20; round++) { /* one after the other */
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != number) pthread_cond_wait(&changed, &mutex);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    for (int round = 0; round < 50; round++)
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_fetch_add(&serial, 1, __ATOMIC_SEQ_CST);
    CHECK(own == number);
    CHECK(pthread_getspecific(key) == (void *) (intptr_t) (number + 1));
    return (void *) (intptr_t) (number * number);
}

static void timed(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&mutex);
    CHECK(pthread_cond_timedwait(&changed, &mutex, &until) == ETIMEDOUT);
    CHECK(pthread_mutex_trylock(&mutex) == EBUSY);
    pthread_mutex_unlock(&mutex);
}

static void *detached(void *argument)
{
    sem_post(argument);
    return NULL;
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 3;
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &kind);
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_key_create(&key, end_key);
    sem_init(&places, 0, 2);
    for (int round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        counted = spun = recursed = turn = serial = written[0] = written[1] = ended_keys = 0;
        for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *) i) == 0);
        for (int i = 0; i < THREADS; i++) {
            void *result;
            CHECK(pthread_join(threads[i], &result) == 0);
            CHECK(result == (void *) (intptr_t) (i * i));
        }
        CHECK(counted == THREADS * TIMES && spun == counted && recursed == counted);
        CHECK(written[0] == THREADS * TIMES / 10 && turn == THREADS * 20 && serial == 50);
        CHECK(ended_keys == THREADS * (THREADS + 1) / 2);
    }
    CHECK(onces == 1 && own == 11);
    timed();
    sem_t done;
    sem_init(&done, 0, 0);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, detached, &done) == 0);
        CHECK(pthread_detach(thread) == 0);
    }
    for (int i = 0; i < 20; i++) sem_wait(&done);
    puts(failed ? "failed" : "ok");
    return failed;
}
