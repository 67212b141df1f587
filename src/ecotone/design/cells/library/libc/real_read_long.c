/* strtold, so that the C library's file with it, which also has strtod and strtof, stays out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* strtod finds where the number ends; what lies between is read with the precision of a long double. */
long double strtold(const char *restrict text, char **restrict end)
{
    char *last, small[128];
    strtod(text, &last);
    if (end) *end = last;
    size_t length = (size_t) (last - text);
    char *copy = length < sizeof small ? small : malloc(length + 1);
    if (!copy) return 0;
    memcpy(copy, text, length);
    copy[length] = 0;
    long double value = 0;
    sscanf(copy, "%Lf", &value);
    if (copy != small) free(copy);
    return value;
}
