/* Functions that many programs bring themselves: then this file is left out, and the others stay. */
#include "block.h"

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strlen(from);
    if (size) {
        size_t most = length < size ? length : size - 1;
        copy(to, from, most);
        to[most] = 0;
    }
    return length;
}

size_t strlcat(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strnlen(to, size);
    return length + (length == size ? strlen(from) : strlcpy(to + length, from, size - length));
}

char *index(const char *text, int value) { return strchr(text, value); }
char *rindex(const char *text, int value) { return strrchr(text, value); }

char *strsep(char **restrict text, const char *restrict separators)
{
    char *start = *text;
    if (!start) return NULL;
    char *end = start + strcspn(start, separators);
    *text = *end ? end + 1 : NULL;
    *end = 0;
    return start;
}
