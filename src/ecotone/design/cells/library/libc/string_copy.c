/* Copies of strings. */
#include "block.h"

#include <stdlib.h>

char *stpcpy(char *restrict to, const char *restrict from)
{
    size_t length = strlen(from);
    copy(to, from, length + 1);
    return to + length;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    copy(to, from, strlen(from) + 1);
    return to;
}

char *stpncpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strnlen(from, size);
    copy(to, from, length);
    __builtin_memset(to + length, 0, size - length);
    return to + length;
}

char *strncpy(char *restrict to, const char *restrict from, size_t size)
{
    stpncpy(to, from, size);
    return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t most)
{
    char *end = to + strlen(to);
    size_t length = strnlen(from, most);
    copy(end, from, length);
    end[length] = 0;
    return to;
}

char *strndup(const char *text, size_t most)
{
    size_t length = strnlen(text, most);
    char *result = malloc(length + 1);
    if (!result) return NULL;
    copy(result, text, length);
    result[length] = 0;
    return result;
}

char *strdup(const char *text) { return strndup(text, SIZE_MAX); }
char *__stpcpy(char *restrict to, const char *restrict from) { return stpcpy(to, from); }
char *__stpncpy(char *restrict to, const char *restrict from, size_t size) { return stpncpy(to, from, size); }
