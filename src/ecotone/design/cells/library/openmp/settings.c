/* The environment of OpenMP. What makes no sense is told on stderr and left out. */
#include "openmp.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LEVELS_SUPPORTED 255
#define LEAST_STACK 16384u

struct settings eomp_settings;
void omp_display_env(int verbose);

static void say(const char *format, va_list list)
{
    fputs("openmp: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

void eomp_complain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
}

void eomp_fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
    fflush(stderr);
    abort();
}

/* ---- Reading words and numbers ---- */

static const char *skip_space(const char *text)
{
    while (isspace((unsigned char) *text))
        text++;
    return text;
}

/* A number that is followed by a comma, an end, or what `also` has in it. */
static bool read_number(const char **text, long least, long most, const char *also, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(*text, &end, 10);
    if (end == *text || errno || *number < least || *number > most)
        return false;
    *text = skip_space(end);
    return !**text || **text == ',' || strchr(also, **text);
}

/* A word, if it is one of these; the place it has there. */
static int read_word(const char **text, const char *const *words)
{
    *text = skip_space(*text);
    for (int at = 0; words[at]; at++) {
        size_t length = strlen(words[at]);
        if (strncasecmp(*text, words[at], length) || isalnum((unsigned char) (*text)[length]) || (*text)[length] == '_')
            continue;
        *text = skip_space(*text + length);
        return at;
    }
    return -1;
}

static const char *const truths[] = {"false", "true", NULL};

static bool wrong(const char *name, const char *value, const char *wanted)
{
    eomp_complain("%s is \"%s\", which is not %s; it is ignored", name, value, wanted);
    return false;
}

static bool get_choice(const char *name, const char *const *words, const char *wanted, int *choice)
{
    const char *value = getenv(name), *at = value;
    if (!value)
        return false;
    int found = read_word(&at, words);
    if (found < 0 || *at)
        return wrong(name, value, wanted);
    *choice = found;
    return true;
}

static bool get_truth(const char *name, bool *truth)
{
    int choice;
    if (!get_choice(name, truths, "true or false", &choice))
        return false;
    *truth = choice;
    return true;
}

static bool get_number(const char *name, long least, int32_t *number)
{
    const char *value = getenv(name), *at = value;
    long read;
    if (!value)
        return false;
    if (!read_number(&at, least, INT_MAX, "", &read) || *at)
        return wrong(name, value, least ? "a whole number above 0" : "a whole number of at least 0");
    *number = (int32_t) read;
    return true;
}

/* ---- Those that have a form of their own ---- */

static void read_threads(void)
{
    const char *value = getenv("OMP_NUM_THREADS"), *at = value;
    int32_t levels = 0, list[16];
    if (!value)
        return;
    for (;; at++) {
        long threads;
        if (levels == 16 || !read_number(&at, 1, INT_MAX, "", &threads)) {
            wrong("OMP_NUM_THREADS", value, "a list of whole numbers above 0");
            return;
        }
        list[levels++] = (int32_t) threads;
        if (!*at)
            break;
    }
    memcpy(eomp_settings.threads_list, list, sizeof list);
    eomp_settings.threads_levels = levels;
    eomp_settings.controls.threads = list[0];
    eomp_settings.controls.threads_were_set = true;
    if (levels > 1)
        eomp_settings.controls.most_levels = LEVELS_SUPPORTED;
}

static void read_schedule(void)
{
    static const char *const modifiers[] = {"monotonic", "nonmonotonic", NULL};
    static const char *const kinds[] = {"static", "dynamic", "guided", "auto", NULL};
    const char *value = getenv("OMP_SCHEDULE"), *at = value;
    if (!value)
        return;
    int modifier = read_word(&at, modifiers);
    if (modifier >= 0)
        at = *at == ':' ? at + 1 : ":";
    int kind = read_word(&at, kinds);
    long chunk = 0;
    bool right = kind >= 0;
    if (right && *at == ',') {
        at++;
        right = read_number(&at, 1, INT_MAX, "", &chunk);
    }
    if (!right || *at) {
        wrong("OMP_SCHEDULE", value, "a kind of schedule (static, dynamic, guided, auto) and perhaps a chunk above 0");
        return;
    }
    bool one = !chunk && (kind == 1 || kind == 2);
    eomp_settings.controls.schedule = (uint32_t) kind + 1 + (modifier == 0 ? SCHEDULE_MONOTONIC : 0);
    eomp_settings.controls.chunk = one ? 1 : kind == 3 ? 0 : (int32_t) chunk;
}

static void read_stack(void)
{
    const char *value = getenv("OMP_STACKSIZE"), *at = value, *units = "BKMG";
    long number;
    if (!value)
        return;
    int shift = 10;
    bool right = read_number(&at, 1, LONG_MAX, "bBkKmMgG", &number);
    if (right && *at) {
        shift = 10 * (int) (strchr(units, toupper((unsigned char) *at)) - units);
        at = skip_space(at + 1);
    }
    if (!right || *at || (uint64_t) number << shift > INT32_MAX) {
        wrong("OMP_STACKSIZE", value, "a size below 2 GiB, such as 512K or 4M");
        return;
    }
    uint32_t bytes = (uint32_t) number << shift;
    eomp_settings.stack_bytes = bytes < LEAST_STACK ? LEAST_STACK : bytes;
}

static void read_bind(void)
{
    static const char *const kinds[] = {"false", "true", "master", "close", "spread", "primary", NULL};
    const char *value = getenv("OMP_PROC_BIND"), *at = value;
    int32_t levels = 0;
    if (!value)
        return;
    for (;; at++) {
        int kind = read_word(&at, kinds);
        bool alone = kind == 0 || kind == 1;
        if (kind < 0 || levels == 16 || (*at && *at != ',') || (alone && (*at || levels))) {
            eomp_settings.bind_levels = 0;
            wrong("OMP_PROC_BIND", value, "true, false or a list of primary, close and spread");
            return;
        }
        eomp_settings.bind[levels++] = kind == 5 ? 2 : kind;
        if (!*at)
            break;
    }
    eomp_settings.bind_levels = levels;
}

/* Accepted, and of no effect: all threads share one place. */
static void read_places(void)
{
    static const char *const kinds[] = {"threads", "cores", "ll_caches", "sockets", "numa_domains", NULL};
    const char *value = getenv("OMP_PLACES"), *at = value;
    if (!value)
        return;
    int kind = read_word(&at, kinds);
    if (kind >= 0 ? *at && *at != '(' : strspn(at, "{}()!:,-0123456789 ") != strlen(at) || !*at)
        wrong("OMP_PLACES", value, "a list of places");
}

const char *const eomp_allocator_names[] = {
    "omp_default_mem_alloc", "omp_large_cap_mem_alloc", "omp_const_mem_alloc", "omp_high_bw_mem_alloc",
    "omp_low_lat_mem_alloc", "omp_cgroup_mem_alloc",    "omp_pteam_mem_alloc", "omp_thread_mem_alloc",
    NULL,
};

static void read_allocator(void)
{
    int choice;
    if (get_choice("OMP_ALLOCATOR", eomp_allocator_names, "one of the allocators that the standard names", &choice))
        eomp_settings.allocator = (uintptr_t) choice + 1;
}

/* Once the main thread is known, for it asks the interface of the program. */
void eomp_show_settings(void)
{
    static const char *const choices[] = {"false", "true", "verbose", NULL};
    int choice = 0;
    if (get_choice("OMP_DISPLAY_ENV", choices, "true, false or verbose", &choice) && choice)
        omp_display_env(choice == 2);
}

static void read_choices(void)
{
    static const char *const policies[] = {"passive", "active", NULL};
    static const char *const offloads[] = {"default", "mandatory", "disabled", NULL};
    int choice;
    if (get_choice("OMP_WAIT_POLICY", policies, "active or passive", &choice))
        eomp_settings.wait_policy = choice + 1;
    if (get_choice("OMP_TARGET_OFFLOAD", offloads, "default, mandatory or disabled", &choice))
        eomp_settings.offload = choice;
    bool nested;
    if (get_truth("OMP_NESTED", &nested))
        eomp_settings.controls.most_levels = nested ? LEVELS_SUPPORTED : 1;
}

void eomp_read_settings(int32_t processors)
{
    struct controls *controls = &eomp_settings.controls;
    eomp_settings.processors = processors > 0 ? processors : 1;
    eomp_settings.stack_bytes = 4u << 20;
    eomp_settings.allocator = 1;
    *controls = (struct controls) {.threads = eomp_settings.processors,
                                   .dynamic = true,
                                   .most_levels = 1,
                                   .thread_limit = INT_MAX,
                                   .schedule = SCHEDULE_DYNAMIC,
                                   .chunk = 1};
    read_threads();
    read_schedule();
    read_stack();
    read_bind();
    read_places();
    read_choices();
    read_allocator();
    if (getenv("OMP_AFFINITY_FORMAT"))
        eomp_set_affinity_format(getenv("OMP_AFFINITY_FORMAT"));
    get_truth("OMP_DYNAMIC", &controls->dynamic);
    get_truth("OMP_CANCELLATION", &eomp_settings.cancellation);
    get_truth("OMP_DISPLAY_AFFINITY", &eomp_settings.display_affinity);
    get_number("OMP_THREAD_LIMIT", 1, &controls->thread_limit);
    get_number("OMP_MAX_TASK_PRIORITY", 0, &eomp_settings.most_priority);
    get_number("OMP_DEFAULT_DEVICE", 0, &controls->device);
    get_number("OMP_NUM_TEAMS", 1, &eomp_settings.teams);
    get_number("OMP_TEAMS_THREAD_LIMIT", 1, &eomp_settings.teams_thread_limit);
    if (get_number("OMP_MAX_ACTIVE_LEVELS", 0, &controls->most_levels) && controls->most_levels > LEVELS_SUPPORTED)
        controls->most_levels = LEVELS_SUPPORTED;
}
