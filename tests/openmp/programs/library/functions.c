/* The C library under threads: errno, numbers, sorting, time, mathematics, text, long stacks. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <time.h>

#include "../check.h"

static void errno_is_own(void)
{
    int wrong = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(4)
    for (int i = 0; i < 500; i++) {
        int wanted = omp_get_thread_num() % 2 ? ENOENT : ERANGE;
        errno = 0;
        if (wanted == ENOENT) {
            if (fopen("/no/such/folder/file", "r")) add_to_word(&wrong, 1);
        } else {
            strtol("99999999999999999999999999", NULL, 10);
        }
        linger();
        if (wanted == ERANGE ? errno != ERANGE : errno == ERANGE || errno == 0) add_to_word(&wrong, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
}

static int compare(const void *one, const void *other)
{
    unsigned left = *(const unsigned *) one, right = *(const unsigned *) other;
    return left < right ? -1 : left > right;
}

static void sorting_and_searching(void)
{
    int wrong = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 40; i++) {
        unsigned numbers[500], wanted = mix((unsigned) i * 1000 + 250);
        for (int k = 0; k < 500; k++) numbers[k] = mix((unsigned) (i * 1000 + k));
        qsort(numbers, 500, sizeof *numbers, compare);
        for (int k = 1; k < 500; k++)
            if (numbers[k - 1] > numbers[k]) add_to_word(&wrong, 1);
        if (!bsearch(&wanted, numbers, 500, sizeof *numbers, compare)) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void numbers_and_text(void)
{
    int wrong = 0;
#pragma omp parallel for
    for (int i = 0; i < 3000; i++) {
        char text[60], *rest, *word;
        snprintf(text, sizeof text, "%d,%g,word%d", i, i * 0.125, i);
        long number = strtol(text, &rest, 10);
        double real = strtod(rest + 1, &rest);
        if (number != i || real != i * 0.125) add_to_word(&wrong, 1);
        char *keep = NULL;
        word = strtok_r(text, ",", &keep);
        word = strtok_r(NULL, ",", &keep);
        word = strtok_r(NULL, ",", &keep);
        if (!word || atoi(word + 4) != i || !isalpha((unsigned char) word[0])) add_to_word(&wrong, 1);
        char *copy = strdup(text);
        if (strcmp(copy, text)) add_to_word(&wrong, 1);
        free(copy);
    }
    CHECK_EQUAL(wrong, 0);
}

static void mathematics(void)
{
    static double results[1000];
#pragma omp parallel for schedule(dynamic, 9)
    for (int i = 0; i < 1000; i++) results[i] = sin(i) * cos(i) + exp(-i * 0.01) + pow(i, 0.3) + log(i + 1) + sqrt(i);
    for (int i = 0; i < 1000; i++)
        CHECK(results[i] == sin(i) * cos(i) + exp(-i * 0.01) + pow(i, 0.3) + log(i + 1) + sqrt(i));
}

static void random_numbers(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        unsigned seed = 5;
        int first = rand_r(&seed), second = rand_r(&seed);
        linger();
        seed = 5;
        if (rand_r(&seed) != first || rand_r(&seed) != second) add_to_word(&wrong, 1);
        for (int i = 0; i < 500; i++) {
            int any = rand();
            if (any < 0) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void time_of_day(void)
{
    int wrong = 0;
#pragma omp parallel for
    for (int i = 0; i < 300; i++) {
        time_t when = (time_t) i * 86400 * 30;
        struct tm parts;
        char text[60];
        if (!gmtime_r(&when, &parts) || strftime(text, sizeof text, "%Y-%m-%d", &parts) != 10) add_to_word(&wrong, 1);
        if (time(NULL) < 1000) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void environment_is_seen_by_all(void)
{
    int wrong = 0;
    setenv("OF_THE_TEST", "value", 1);
#pragma omp parallel for
    for (int i = 0; i < 500; i++) {
        const char *text = getenv("OF_THE_TEST");
        if (!text || strcmp(text, "value")) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void sleeping(void)
{
    int late = 0;
    omp_set_dynamic(0);
    double start = omp_get_wtime();
#pragma omp parallel num_threads(4)
    {
        struct timespec pause = {0, 50000000};
        nanosleep(&pause, NULL);
        add_to_word(&late, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    double elapsed = omp_get_wtime() - start;
    CHECK_EQUAL(late, 4);
    CHECK(elapsed >= 0.05);
}

int main(void)
{
    RUN(errno_is_own);
    RUN(sorting_and_searching);
    RUN(numbers_and_text);
    RUN(mathematics);
    RUN(random_numbers);
    RUN(time_of_day);
    RUN(environment_is_seen_by_all);
    RUN(sleeping);
    return finish();
}
