/* Waiting: a rank that has nothing to do spins, then lets others run, then sleeps until its bell rings. */
#include "transport.h"

HOST("idle") void host_idle(_Atomic uint32_t *bell, uint32_t seen); /* sleeps while *bell == seen, at most 50 ms */
HOST("yield") void host_yield(void);

#define YIELDS_TIMED 128 /* of so many, one is */
#define YIELD_SLOW_S 300e-6
#define BUSY_LEAST 16 /* sleeps, before it is tried again whether the cores are still busy */
#define BUSY_MOST 2048
#define BUSY_SPINS 400

static int spins, yields;
static int busy; /* so many times still, sleep instead of letting others run */

/* With a core for each rank, spinning is what is fast; with less, the one waited for needs the core. Where there are
 * wires, a wait is longer than a spin is worth, and looking at them costs more. */
void choose_waiting(void)
{
    bool crowded = region->places > region->cores;
    spins = crowded ? 30 : wires ? 100 : 4000;
    yields = crowded ? 60 : 100;
}

/* Announce the sleep first, look once more, then sleep: a message that comes in between rings the bell. */
static void doze(void)
{
    struct control *control = &controls[own_place];
    uint32_t seen = atomic_load(&control->bell);
    atomic_store(&control->asleep, 1);
    bool moved = progress();
    if (control != &controls[own_place]) return; /* on another node now: that bell is nobody's any more */
    if (!moved) host_idle(&control->bell, seen);
    atomic_store(&control->asleep, 0);
}

/* Letting others run is good among ranks that wait for each other. Where the others compute, it costs a slice of
 * their time, and who sleeps is back much sooner: so it is timed now and then, and if it takes long, the next waits
 * sleep; the more of them, the more often that has been found. */
static void let_others_run(void)
{
    static unsigned turn;
    static int longer = BUSY_LEAST;
    if (++turn % YIELDS_TIMED) {
        host_yield();
        return;
    }
    double before = MPI_Wtime();
    host_yield();
    if (MPI_Wtime() - before > YIELD_SLOW_S) {
        busy = longer;
        longer = longer < BUSY_MOST ? 2 * longer : BUSY_MOST;
        turn--; /* the next one is timed again */
    } else if (longer > BUSY_LEAST) {
        longer /= 2;
    }
}

/* Nothing has moved `idle` times in a row: spin, then let others run, then sleep. */
void wait_moment(int *idle)
{
    if (++*idle <= (busy && spins > BUSY_SPINS ? BUSY_SPINS : spins)) return;
    ask_host = true;
    if (!busy && *idle <= spins + yields) {
        let_others_run();
        return;
    }
    doze();
    if (busy) busy--;
}

void wait_until(const volatile bool *flag)
{
    int idle = 0;
    while (!*flag) {
        if (progress())
            idle = 0;
        else
            wait_moment(&idle);
    }
}
