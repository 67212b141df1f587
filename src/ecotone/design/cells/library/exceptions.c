/* C++ exceptions. WebAssembly as we build it cannot unwind: a program that throws ends here and says what it threw;
 * programs that could throw, but do not, build and run unchanged. */
#include "internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What a C++ compiler lays down for std::type_info, as far as we need it. */
struct type_info {
    const void *table;
    const char *name;             /* mangled */
    const struct type_info *base; /* only of a class with one base */
};

/* The table of the type_info of such classes; behind two words comes what objects point to. */
extern const char single_base[] __asm__("_ZTVN10__cxxabiv120__si_class_type_infoE") __attribute__((weak));

enum { WHAT = 2 }; /* its place in the table of std::exception, behind two destructors */

static bool is_standard(const struct type_info *type)
{
    while (strcmp(type->name, "St9exception")) {
        if (!single_base || type->table != single_base + 2 * sizeof(void *)) return false;
        type = type->base;
    }
    return true;
}

static const char *what(const void *exception)
{
    typedef const char *method(const void *);
    method *const *table = *(method *const *const *) exception;
    return table[WHAT](exception);
}

/* Names of classes, in namespaces or not, as they are written; all other types stay mangled. */
static void print_type(const char *name)
{
    bool nested = *name == 'N', first = true;
    const char *at = name + nested;
    char text[256];
    size_t used = 0;
    if (!strncmp(at, "St", 2)) used = (size_t) snprintf(text, sizeof text, "std::"), at += 2;
    while (isdigit((unsigned char) *at)) {
        char *start;
        size_t length = strtoul(at, &start, 10);
        if (length > strlen(start) || used + length + 3 > sizeof text) break;
        used += (size_t) snprintf(text + used, sizeof text - used, "%s%.*s", first ? "" : "::", (int) length, start);
        at = start + length;
        first = false;
    }
    bool whole = !first && !strcmp(at, nested ? "E" : "");
    fputs(whole ? text : name, stderr);
}

void *__cxa_allocate_exception(size_t bytes) { return eco_allocate(bytes); }
void __cxa_free_exception(void *exception) { free(exception); }

_Noreturn void __cxa_throw(void *exception, const struct type_info *type, void (*destroy)(void *))
{
    (void) destroy;
    fflush(stdout);
    fputs("ecotone: a C++ exception of type ", stderr);
    print_type(type && type->name ? type->name : "unknown");
    fputs(" was thrown", stderr);
    if (type && type->name && is_standard(type)) fprintf(stderr, ": %s", what(exception));
    fputs(". A cell cannot catch exceptions: let the program return an error or call exit instead of throwing here\n", stderr);
    abort();
}

_Noreturn void __cxa_rethrow(void) { abort(); }
void *__cxa_begin_catch(void *exception) { return exception; }
void __cxa_end_catch(void) {}
