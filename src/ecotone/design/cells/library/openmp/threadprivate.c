/* Variables of which each thread has a copy, where the program is compiled with -fno-openmp-use-tls; else the compiler
 * uses its own thread-local storage. */
#include "openmp.h"

#include <stdlib.h>
#include <string.h>

struct variable {
    struct variable *next;
    void *data;
    void *initial; /* its value when a thread first asked for it; 0 if it has a constructor */
    size_t bytes;
    void *(*construct)(void *);
    void *(*copy_construct)(void *, void *);
    void (*destroy)(void *);
};
struct copy {
    struct copy *next;
    struct variable *variable;
    void *data;
};

static word lock;
static struct variable *variables;
static _Thread_local struct copy *copies;

static void *get(size_t bytes)
{
    void *block = calloc(1, bytes ? bytes : 1);
    if (!block)
        eomp_fail("no memory is left for a threadprivate variable");
    return block;
}

static struct variable *variable_of(void *data)
{
    eomp_lock(&lock);
    struct variable *variable = variables;
    while (variable && variable->data != data)
        variable = variable->next;
    if (!variable) {
        variable = get(sizeof *variable);
        variable->data = data;
        variable->next = variables;
        variables = variable;
    }
    eomp_unlock(&lock);
    return variable;
}

void __kmpc_threadprivate_register(const struct place *place, void *data, void *(*construct)(void *),
                                   void *(*copy_construct)(void *, void *), void (*destroy)(void *))
{
    (void) place;
    struct variable *variable = variable_of(data);
    variable->construct = construct;
    variable->copy_construct = copy_construct;
    variable->destroy = destroy;
}

void __kmpc_threadprivate_register_vec(const struct place *place, void *data, void *(*construct)(void *, size_t),
                                       void *(*copy_construct)(void *, void *, size_t), void (*destroy)(void *, size_t),
                                       size_t length)
{
    (void) place;
    (void) copy_construct;
    (void) destroy;
    (void) length;
    if (construct)
        eomp_fail("threadprivate arrays with constructors need the compiler's thread-local storage: leave out "
                  "-fno-openmp-use-tls (variable at %p)",
                  data);
}

/* So that later threads begin with the value that the first one had. */
static void remember(struct variable *variable, size_t bytes)
{
    eomp_lock(&lock);
    if (!variable->bytes) {
        variable->bytes = bytes;
        if (!variable->construct) {
            variable->initial = get(bytes);
            memcpy(variable->initial, variable->data, bytes);
        }
    }
    eomp_unlock(&lock);
}

static void *copy_new(struct variable *variable)
{
    void *data = get(variable->bytes);
    if (variable->construct)
        variable->construct(data);
    else
        memcpy(data, variable->initial, variable->bytes);
    return data;
}

void *__kmpc_threadprivate_cached(PLACE, void *data, size_t bytes, void ***cache)
{
    (void) cache; /* the compiler's, which we do not need */
    for (struct copy *copy = copies; copy; copy = copy->next)
        if (copy->variable->data == data)
            return copy->data;
    struct variable *variable = variable_of(data);
    remember(variable, bytes);
    struct copy *copy = get(sizeof *copy);
    copy->variable = variable;
    copy->data = eomp_here()->thread->id == 0 ? data : copy_new(variable);
    copy->next = copies;
    return (copies = copy)->data;
}

void *__kmpc_threadprivate(PLACE, void *data, size_t bytes)
{
    return __kmpc_threadprivate_cached(place, id, data, bytes, NULL);
}
