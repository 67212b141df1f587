/* What a program might do to the machine it runs on, chosen by the first argument; rank 1 does it. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

static int recurse(int n)
{
    volatile char room[4096];
    room[n % 4096] = 1;
    return n < 0 ? 0 : recurse(n + 1) + room[0];
}

/* Memory until there is no more; what is had is written to, and may be looked at, or the compiler leaves it all out. */
static char *volatile kept;

static void bomb(void)
{
    for (size_t had = 0;; had += 1 << 20) {
        char *more = malloc(1 << 20);
        if (!more) {
            fprintf(stderr, "no more after %zu MiB\n", had >> 20);
            exit(9);
        }
        memset(more, 1, 1 << 20);
        kept = more;
    }
}

static void open_all(void)
{
    int most = 0;
    while (open("/data/file", O_RDONLY) >= 0) most++;
    fprintf(stderr, "opened %d, then %s\n", most, strerror(errno));
    exit(10);
}

/* Ways out of the folder that was given: none may work. */
static void escape(void)
{
    static const char *const ways[] = {"/data/../secret", "/data/in/../../secret", "/data/link", "/data/up/secret",
                                       "/secret", "/etc/passwd", "/proc/self/mem", "../secret", "/data/in/out"};
    int found = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (open(ways[i], O_RDONLY) >= 0) fprintf(stderr, "escaped by %s\n", ways[i]), found++;
    if (!symlink("/", "/data/root")) fprintf(stderr, "made a link\n"), found++;
    if (!rename("/data/file", "/data/../moved")) fprintf(stderr, "moved out\n"), found++;
    if (!link("/data/link", "/data/hard")) fprintf(stderr, "made a hard link\n"), found++;
    exit(found ? 20 : 11);
}

static void misbehave(const char *how)
{
    volatile char *end = (char *) 0xffff0000u;
    if (!strcmp(how, "bounds")) *end = 1;
    if (!strcmp(how, "stack")) exit(recurse(0));
    if (!strcmp(how, "bomb")) bomb();
    if (!strcmp(how, "flood"))
        for (;;) puts("a line that is written again and again"), fflush(stdout);
    if (!strcmp(how, "descriptors")) open_all();
    if (!strcmp(how, "escape")) escape();
    if (!strcmp(how, "leave")) exit(0);
    if (!strcmp(how, "type")) {
        int (*volatile wrong_type)(double) = (int (*)(double)) (uintptr_t) recurse;
        exit(wrong_type(1.0));
    }
    for (;;) continue;
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    if (rank == 1) misbehave(argv[1]);
    MPI_Recv(&wrong, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return end();
}
