/* C++ exceptions. WebAssembly as we build it cannot unwind: a program that throws ends here and says what it threw;
 * programs that could throw, but do not, build and run unchanged. */
#include "internal.h"

#include <stdio.h>

/* What a C++ compiler lays down for std::type_info, as far as we need it. */
struct type_info {
    const void *table;
    const char *name; /* mangled */
};

void *__cxa_allocate_exception(size_t bytes) { return eco_allocate(bytes); }
void __cxa_free_exception(void *exception) { free(exception); }

_Noreturn void __cxa_throw(void *exception, const struct type_info *type, void (*destroy)(void *))
{
    (void) exception, (void) destroy;
    fflush(stdout);
    fprintf(stderr,
            "ecotone: a C++ exception of type %s was thrown. A cell cannot catch exceptions: let the program return an "
            "error or call exit instead of throwing here\n",
            type && type->name ? type->name : "unknown");
    abort();
}

_Noreturn void __cxa_rethrow(void) { abort(); }
void *__cxa_begin_catch(void *exception) { return exception; }
void __cxa_end_catch(void) {}
