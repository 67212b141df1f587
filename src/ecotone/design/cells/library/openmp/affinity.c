/* Where threads run, as text. A format has fields: %, then perhaps 0 and . and a width, then a letter or {name}. */
#include "../omp.h"

#include "openmp.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char format_text[256] = "level %L thread %i affinity %A";
const char *eomp_affinity_format = format_text;

static size_t copy_out(char *buffer, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (size) {
        size_t part = length < size ? length : size - 1;
        memcpy(buffer, text, part);
        buffer[part] = 0;
    }
    return length;
}

void eomp_set_affinity_format(const char *format) { copy_out(format_text, sizeof format_text, format); }
void omp_set_affinity_format(const char *format) { eomp_set_affinity_format(format); }
size_t omp_get_affinity_format(char *buffer, size_t size) { return copy_out(buffer, size, format_text); }

static const struct field {
    char letter;
    const char *name;
} fields[] = {
    {'t', "team_num"},       {'T', "num_teams"}, {'L', "nesting_level"}, {'n', "thread_num"}, {'N', "num_threads"},
    {'a', "ancestor_tnum"},  {'H', "host"},      {'P', "process_id"},    {'i', "native_thread_id"},
    {'A', "thread_affinity"},
};

/* The letter of a field, which `*text` is left behind; 0: there is no such field. */
static char read_field(const char **text)
{
    for (size_t at = 0; at < sizeof fields / sizeof *fields; at++) {
        size_t length = strlen(fields[at].name);
        bool named = **text == '{' && !strncmp(*text + 1, fields[at].name, length) && (*text)[length + 1] == '}';
        if (!named && **text != fields[at].letter)
            continue;
        *text += named ? length + 2 : 1;
        return fields[at].letter;
    }
    return 0;
}

static void write_field(char letter, char *into, size_t size)
{
    const struct member *here = eomp_here();
    int32_t number = 0;
    switch (letter) {
    case 't': number = here->team->team_number; break;
    case 'T': number = here->team->team_count; break;
    case 'L': number = here->team->level; break;
    case 'n': number = here->number; break;
    case 'N': number = here->team->size; break;
    case 'a': number = omp_get_ancestor_thread_num(here->team->level - 1); break;
    case 'P': number = 1; break;
    case 'i': number = here->thread->id; break;
    case 'H': copy_out(into, size, "cell"); return;
    default:
        if (eomp_settings.processors == 1)
            copy_out(into, size, "0");
        else
            snprintf(into, size, "0-%d", (int) eomp_settings.processors - 1);
        return;
    }
    snprintf(into, size, "%" PRId32, number);
}

struct output {
    char *buffer;
    size_t size, length;
};

static void put(struct output *output, char letter)
{
    if (output->length + 1 < output->size)
        output->buffer[output->length] = letter;
    output->length++;
}

static void put_padded(struct output *output, const char *text, long width, bool right, bool zeros)
{
    long padding = width - (long) strlen(text);
    for (; right && padding > 0; padding--)
        put(output, zeros && isdigit((unsigned char) *text) ? '0' : ' ');
    for (; *text; text++)
        put(output, *text);
    for (; padding > 0; padding--)
        put(output, ' ');
}

size_t omp_capture_affinity(char *buffer, size_t size, const char *format)
{
    struct output output = {buffer, size, 0};
    const char *at = format && *format ? format : format_text;
    while (*at) {
        if (*at != '%') {
            put(&output, *at++);
            continue;
        }
        if (*++at == '%') {
            put(&output, *at++);
            continue;
        }
        bool zeros = *at == '0';
        at += zeros;
        bool right = *at == '.';
        at += right;
        char *end;
        long width = isdigit((unsigned char) *at) ? strtol(at, &end, 10) : 0;
        at = width ? end : at;
        char letter = read_field(&at), text[64];
        if (!letter) {
            put_padded(&output, "undefined", width, right, false);
            at += *at != 0;
            continue;
        }
        write_field(letter, text, sizeof text);
        put_padded(&output, text, width, right, zeros);
    }
    if (size)
        buffer[output.length < size ? output.length : size - 1] = 0;
    return output.length;
}

void omp_display_affinity(const char *format)
{
    char text[512];
    omp_capture_affinity(text, sizeof text, format);
    fprintf(stderr, "%s\n", text);
}

/* For OMP_DISPLAY_AFFINITY: at the first region, and whenever the number of threads is another one. */
void eomp_show_affinity(struct member *member)
{
    int32_t size = member->team->size;
    if (member->team->active_level && member->thread->shown_size != size) {
        member->thread->shown_size = size;
        omp_display_affinity(NULL);
    }
}
