/* What a thread is started with: the argument of eco.thread_start points to one of these. */
#ifndef ECO_THREAD_H
#define ECO_THREAD_H

struct eco_thread_start {
    void (*life)(struct eco_thread_start *start, int fresh); /* never returns */
    void *tls; /* eco_thread has made it the thread's own if `fresh` */
};

/* Threads of pthread_create that are not parked; the cell cannot be taken elsewhere while there are any. */
extern int eco_threads_created;

#endif
