/* The C library under threads: lines of many threads stay whole, in files and on standard output. */
#include <omp.h>

#include "../check.h"

/* Reads a file of lines "N: xxxx...", each of which must be whole and there once. */
static void check_lines(FILE *file, int number)
{
    char line[300], *seen = calloc((size_t) number, 1);
    int lines = 0, wrong = 0;
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        int which = atoi(line), length = 0;
        char *text = strchr(line, ':');
        if (!text || which < 0 || which >= number || seen[which]) {
            wrong++;
            continue;
        }
        seen[which] = 1;
        for (text += 2; *text == 'a' + which % 26; text++) length++;
        if (length != which % 100 || *text != '\n') wrong++;
        lines++;
    }
    CHECK_EQUAL(lines, number);
    CHECK_EQUAL(wrong, 0);
    free(seen);
}

static void fill(char *text, int which)
{
    memset(text, 'a' + which % 26, 100);
    text[which % 100] = 0;
}

static void fprintf_lines(void)
{
    FILE *file = fopen("stdio.tmp", "w+");
    CHECK(file != NULL);
    if (!file) return;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 2000; i++) {
        char text[101];
        fill(text, i);
        fprintf(file, "%d: %s\n", i, text);
    }
    check_lines(file, 2000);
    fclose(file);
}

static void fputs_lines(void)
{
    FILE *file = fopen("stdio.tmp", "w+");
    if (!file) return;
    setvbuf(file, NULL, _IOLBF, 200);
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 1000; i++) {
        char text[101], line[130];
        fill(text, i);
        snprintf(line, sizeof line, "%d: %s\n", i, text);
        if (i % 2) fputs(line, file);
        else fwrite(line, strlen(line), 1, file);
        if (i % 100 == 0) fflush(file);
    }
    check_lines(file, 1000);
    fclose(file);
}

static void characters(void)
{
    FILE *file = fopen("stdio.tmp", "w+");
    if (!file) return;
    int counts[26] = {0}, letter;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 26000; i++) putc('a' + i % 26, file);
    rewind(file);
    while ((letter = getc(file)) != EOF) counts[letter - 'a']++;
    for (int i = 0; i < 26; i++) CHECK_EQUAL(counts[i], 1000);
    rewind(file);
    int total = 0;
#pragma omp parallel reduction(+ : total)
    while (getc(file) != EOF) total++;
    CHECK_EQUAL(total, 26000);
    fclose(file);
}

static void own_texts(void)
{
    int wrong = 0;
#pragma omp parallel for
    for (int i = 0; i < 3000; i++) {
        char text[100];
        int number = 0;
        double real = 0;
        snprintf(text, sizeof text, "%d %.3f %s", i, i / 8.0, "end");
        if (sscanf(text, "%d %lf", &number, &real) != 2 || number != i || real != i / 8.0) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void standard_output(void)
{
#pragma omp parallel for ordered
    for (int i = 0; i < 10; i++) {
#pragma omp ordered
        printf("  line %d\n", i);
    }
    CHECK(!ferror(stdout));
}

static void each_its_own_file(void)
{
    int wrong = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 40; i++) {
        char name[40];
        snprintf(name, sizeof name, "own-%d.tmp", i);
        FILE *file = fopen(name, "w+");
        if (!file) {
            add_to_word(&wrong, 1);
            continue;
        }
        for (int k = 0; k < 100; k++) fprintf(file, "%d\n", i * k);
        rewind(file);
        int number;
        for (int k = 0; k < 100; k++)
            if (fscanf(file, "%d", &number) != 1 || number != i * k) add_to_word(&wrong, 1);
        fclose(file);
        remove(name);
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(fprintf_lines);
    RUN(fputs_lines);
    RUN(characters);
    RUN(own_texts);
    RUN(standard_output);
    RUN(each_its_own_file);
    remove("stdio.tmp");
    return finish();
}
