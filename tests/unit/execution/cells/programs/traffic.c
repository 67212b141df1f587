/* Traffic between all pairs of ranks: `mixed SEED ROUNDS` sends messages of random sizes, checked byte by byte;
 * `flood MESSAGES` lets rank 0 send as fast as it can to others that do not listen for a while; `long MIBS` sends much
 * from rank 0 to rank 1; `wait` only waits. */
#include "check.h"

#include <time.h>
#include <unistd.h>

#define MOST 300000
#define EACH 4

static unsigned next(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Most are small, some are larger than any ring of a node. */
static int bytes_of(unsigned seed)
{
    unsigned state = seed, kind = next(&state) % 10;
    if (kind < 5) return (int) (next(&state) % 64);
    if (kind < 9) return (int) (next(&state) % 20000);
    return (int) (next(&state) % MOST);
}

static unsigned seed_of(unsigned seed, int round, int from, int to, int number)
{
    unsigned state = seed ^ (unsigned) round * 2654435761u ^ (unsigned) (from * 4096 + to * 64 + number) * 40503u;
    next(&state);
    return next(&state);
}

static void fill(unsigned char *buffer, int bytes, unsigned seed)
{
    for (int i = 0; i < bytes; i++) buffer[i] = (unsigned char) (seed + (unsigned) i * 7 + (unsigned) i / 251);
}

static int same(const unsigned char *buffer, int bytes, unsigned seed)
{
    for (int i = 0; i < bytes; i++)
        if (buffer[i] != (unsigned char) (seed + (unsigned) i * 7 + (unsigned) i / 251)) return 0;
    return 1;
}

static void receive_all(unsigned seed, int round, unsigned char *buffer)
{
    int number[1024] = {0};
    for (int left = (size - 1) * EACH; left > 0; left--) {
        MPI_Status status;
        int got;
        MPI_Probe(MPI_ANY_SOURCE, round, MPI_COMM_WORLD, &status);
        int from = status.MPI_SOURCE;
        unsigned expected = seed_of(seed, round, from, rank, number[from]++);
        MPI_Get_count(&status, MPI_BYTE, &got);
        CHECK(got == bytes_of(expected));
        MPI_Recv(buffer, got, MPI_BYTE, from, round, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(same(buffer, got, expected));
    }
}

static void mixed(unsigned seed, int rounds)
{
    unsigned char *buffer = malloc(MOST), **sent = malloc((size_t) size * EACH * sizeof *sent);
    MPI_Request *requests = malloc((size_t) size * EACH * sizeof *requests);
    for (int round = 0; round < rounds; round++) {
        int count = 0;
        for (int step = 1; step < size; step++) {
            int to = (rank + step) % size;
            for (int number = 0; number < EACH; number++) {
                unsigned own = seed_of(seed, round, rank, to, number);
                int bytes = bytes_of(own);
                sent[count] = malloc((size_t) bytes + 1);
                fill(sent[count], bytes, own);
                MPI_Isend(sent[count], bytes, MPI_BYTE, to, round, MPI_COMM_WORLD, &requests[count]);
                count++;
            }
        }
        receive_all(seed, round, buffer);
        MPI_Waitall(count, requests, MPI_STATUSES_IGNORE);
        while (count) free(sent[--count]);
    }
}

static void flood(int messages)
{
    static unsigned char buffer[10000];
    if (rank) sleep(1);
    for (int number = 0; number < messages; number++)
        for (int to = 1; to < size; to++) {
            unsigned seed = seed_of(7, number, 0, to, 0);
            int bytes = (int) (seed % sizeof buffer);
            if (rank == 0) {
                fill(buffer, bytes, seed);
                MPI_Send(buffer, bytes, MPI_BYTE, to, 3, MPI_COMM_WORLD);
            } else if (rank == to) {
                MPI_Recv(buffer, sizeof buffer, MPI_BYTE, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
                CHECK(same(buffer, bytes, seed));
            }
        }
}

static void much(int mibs)
{
    unsigned char *buffer = malloc(1 << 20);
    for (int number = 0; number < mibs; number++) {
        int small[3] = {number, -number, 7}, got[3] = {0};
        MPI_Sendrecv(small, 3, MPI_INT, !rank, 0, got, 3, MPI_INT, !rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(got[0] == number && got[1] == -number && got[2] == 7);
        memset(buffer, rank ? 0 : number, 1 << 20);
        if (rank == 0)
            MPI_Send(buffer, 1 << 20, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
        else
            MPI_Recv(buffer, 1 << 20, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(buffer[0] == (unsigned char) number && buffer[(1 << 20) - 1] == (unsigned char) number);
    }
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    if (!strcmp(argv[1], "mixed")) mixed((unsigned) atoi(argv[2]), atoi(argv[3]));
    if (!strcmp(argv[1], "flood")) flood(atoi(argv[2]));
    if (!strcmp(argv[1], "long")) much(atoi(argv[2]));
    if (!strcmp(argv[1], "wait")) MPI_Recv(&wrong, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return end();
}
