/* Takes a configuration text apart with the C library's string functions. */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 20000 };
static const char *const keys[] = {"temperature", "pressure", "time_step", "output_file", "boundary", "seed", "verbose"};
static char *text;

void prepare(void)
{
    char *at = text = malloc(LINES * 160);
    for (int i = 0; i < LINES; i++) {
        int indent = (int) (random_bits() % 9);
        const char *key = keys[random_bits() % 7], *remark = random_bits() % 3 ? "" : " # comment [experimental]";
        at += sprintf(at, "%*s%s = value_%u and a longer remark about it%s\n", indent, "", key, random_bits() % 1000,
                      remark);
    }
    *at = 0;
}

static int key_number(const char *name, size_t length)
{
    for (int k = 0; k < 7; k++)
        if (strlen(keys[k]) == length && !strncmp(keys[k], name, length)) return k;
    return -1;
}

double work(void)
{
    double sum = 0;
    char line[256], copy[256];
    for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
        size_t length = (size_t) (end - at);
        memcpy(line, at, length);
        line[length] = 0;
        char *name = line + strspn(line, " \t");
        char *equals = memchr(name, '=', length);
        size_t used = strcspn(name, " =");
        sum += key_number(name, used);
        strcpy(copy, equals + 2);
        char *comment = strstr(copy, "# comment");
        if (comment) *comment = 0, sum += strrchr(line, '[') - line;
        sum += (double) strlen(copy) + (strcmp(copy, "value_7 and a longer remark about it") == 0) * 100;
        if (strpbrk(copy, "!?")) sum += 1e6;
        for (char *rest, *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) sum += *word;
    }
    return sum;
}
