/* What a cell can do with files: everything in its own folders, nothing outside of them. The first argument chooses. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int wrong;
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            wrong = 1;                                                                                                 \
            printf("line %d: not %s (%s)\n", __LINE__, #condition, strerror(errno));                                  \
        }                                                                                                              \
    } while (0)

static void ordinary(void)
{
    char text[64] = "";
    struct stat state;
    FILE *file = fopen("/data/a.txt", "w");
    CHECK(file && fprintf(file, "first\nsecond\n") > 0 && fclose(file) == 0);
    file = fopen("/data/a.txt", "a");
    CHECK(file && fputs("third\n", file) >= 0 && fclose(file) == 0);
    file = fopen("/data/a.txt", "r+");
    CHECK(file && fseek(file, 6, SEEK_SET) == 0 && fgets(text, sizeof text, file) && !strcmp(text, "second\n"));
    CHECK(ftell(file) == 13 && fclose(file) == 0);
    CHECK(stat("/data/a.txt", &state) == 0 && state.st_size == 19 && S_ISREG(state.st_mode));
    CHECK(mkdir("/data/inner", 0777) == 0 && rename("/data/a.txt", "/data/inner/b.txt") == 0);
    CHECK(access("/data/inner/../inner/./b.txt", R_OK) == 0);
    CHECK(truncate("/data/inner/b.txt", 5) == 0 && stat("/data/inner/b.txt", &state) == 0 && state.st_size == 5);
}

static void listing(void)
{
    char name[32];
    int count = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "/data/many%d", i);
        CHECK(close(open(name, O_CREAT | O_WRONLY, 0666)) == 0);
    }
    DIR *folder = opendir("/data");
    CHECK(folder);
    for (struct dirent *entry; (entry = readdir(folder));) count += !strncmp(entry->d_name, "many", 4);
    CHECK(count == 300 && closedir(folder) == 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "/data/many%d", i);
        CHECK(unlink(name) == 0);
    }
}

static void outside(void)
{
    CHECK(open("/data/../secret", O_RDONLY) < 0);
    CHECK(open("/data/inner/../../secret", O_RDONLY) < 0);
    CHECK(open("/etc/passwd", O_RDONLY) < 0);
    CHECK(open("/data/link", O_RDONLY) < 0);
    CHECK(open("/data/up/secret", O_RDONLY) < 0);
    CHECK(symlink("../secret", "/data/own") < 0);
    CHECK(rename("/data/link", "/data/../moved") < 0);
    CHECK(mkdir("/data/../made", 0777) < 0);
}

static void read_only(void)
{
    CHECK(open("/fixed/text", O_RDONLY) >= 0);
    CHECK(open("/fixed/text", O_RDWR) < 0 && errno == EROFS);
    CHECK(open("/fixed/new", O_CREAT | O_WRONLY, 0666) < 0);
    CHECK(open("/fixed/text", O_TRUNC) < 0);
    CHECK(unlink("/fixed/text") < 0 && mkdir("/fixed/new", 0777) < 0 && rename("/fixed/text", "/data/x") < 0);
}

static void too_many(void)
{
    int count = 0;
    while (open("/data", O_RDONLY) >= 0) count++;
    CHECK(count > 20 && count < 256 && (errno == EMFILE || errno == ENFILE));
}

static void clocks(void)
{
    struct timespec nap = {0, 20000000}, before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&nap, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1e9 + after.tv_nsec - before.tv_nsec >= 20e6);
    CHECK(time(NULL) > 1700000000);
}

static void surroundings(char **argv)
{
    char a[16], b[16];
    CHECK(!strcmp(argv[0], "files") && getenv("COLOUR") && !strcmp(getenv("COLOUR"), "blue") && !getenv("PATH"));
    CHECK(getentropy(a, 16) == 0 && getentropy(b, 16) == 0 && memcmp(a, b, 16));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "flood"))
        for (;;) puts("water");
    ordinary();
    listing();
    outside();
    read_only();
    too_many();
    clocks();
    surroundings(argv);
    if (!wrong) puts("ok");
    return wrong;
}
