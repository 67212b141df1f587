/* Threads of pthread_create before and after a rank has moved; with an argument, one that is there while it should. */
#include <mpi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 3 };
static _Thread_local int own = 5;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int wrong, over;

static void *work(void *argument)
{
    intptr_t number = (intptr_t) argument;
    if (own != 5) wrong++;
    own = (int) number;
    char *block = malloc(1000);
    memset(block, (int) number, 1000);
    return block;
}

static void *stay(void *argument)
{
    pthread_mutex_lock(&mutex);
    while (!over) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return argument;
}

static void together(void)
{
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *) (i + 1))) wrong++;
    for (int i = 0; i < THREADS; i++) {
        void *block;
        if (pthread_join(threads[i], &block)) wrong++;
        for (int at = 0; at < 1000; at++) wrong += ((char *) block)[at] != i + 1;
        free(block);
    }
}

int main(int count, char **arguments)
{
    pthread_t other;
    MPI_Init(&count, &arguments);
    together();
    own = 77;
    if (count > 1) pthread_create(&other, NULL, stay, NULL);
    fclose(fopen("/data/ready", "w"));
    while (access("/data/go", F_OK)) {
        MPI_Barrier(MPI_COMM_WORLD);
        usleep(1000);
    }
    if (count > 1) {
        pthread_mutex_lock(&mutex);
        over = 1;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&mutex);
        pthread_join(other, NULL);
    }
    together();
    if (own != 77) wrong++;
    puts(wrong ? "wrong" : "ok");
    MPI_Finalize();
    return wrong;
}
