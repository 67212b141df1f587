/* Devices of omp.h: there is none but the host, so what is meant for another one is refused. */
#include "../omp.h"

#include "openmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOST 0

void omp_set_default_device(int device) { eomp_here()->task->controls.device = device; }
int omp_get_default_device(void) { return eomp_here()->task->controls.device; }
int omp_get_num_devices(void) { return 0; }
int omp_get_device_num(void) { return HOST; }
int omp_is_initial_device(void) { return 1; }
int omp_get_initial_device(void) { return HOST; }

void *omp_target_alloc(size_t bytes, int device) { return device == HOST && bytes ? malloc(bytes) : NULL; }
void omp_target_free(void *data, int device)
{
    if (device == HOST)
        free(data);
}
int omp_target_is_present(const void *data, int device) { return device == HOST && data; }
int omp_target_is_accessible(const void *data, size_t bytes, int device)
{
    (void) bytes;
    return device == HOST && data;
}
int omp_target_associate_ptr(const void *host, const void *there, size_t bytes, size_t offset, int device)
{
    (void) host;
    (void) there;
    (void) bytes;
    (void) offset;
    (void) device;
    return EINVAL;
}
int omp_target_disassociate_ptr(const void *data, int device)
{
    (void) data;
    (void) device;
    return EINVAL;
}
void *omp_get_mapped_ptr(const void *data, int device) { return device == HOST ? (void *) data : NULL; }

int omp_target_memcpy(void *to, const void *from, size_t bytes, size_t to_offset, size_t from_offset, int to_device,
                      int from_device)
{
    if (to_device != HOST || from_device != HOST)
        return EINVAL;
    memcpy((char *) to + to_offset, (const char *) from + from_offset, bytes);
    return 0;
}

/* One dimension after the other; the last one is copied. */
static void copy_box(char *to, const char *from, size_t element, int dimensions, const size_t *volume,
                     const size_t *to_offsets, const size_t *from_offsets, const size_t *to_sizes,
                     const size_t *from_sizes)
{
    if (dimensions == 1) {
        memcpy(to + element * to_offsets[0], from + element * from_offsets[0], element * volume[0]);
        return;
    }
    size_t to_slice = element, from_slice = element;
    for (int at = 1; at < dimensions; at++) {
        to_slice *= to_sizes[at];
        from_slice *= from_sizes[at];
    }
    for (size_t at = 0; at < volume[0]; at++)
        copy_box(to + to_slice * (to_offsets[0] + at), from + from_slice * (from_offsets[0] + at), element,
                 dimensions - 1, volume + 1, to_offsets + 1, from_offsets + 1, to_sizes + 1, from_sizes + 1);
}

int omp_target_memcpy_rect(void *to, const void *from, size_t element, int dimensions, const size_t *volume,
                           const size_t *to_offsets, const size_t *from_offsets, const size_t *to_sizes,
                           const size_t *from_sizes, int to_device, int from_device)
{
    if (!to && !from)
        return INT32_MAX; /* how many dimensions are supported */
    if (!to || !from || dimensions < 1 || to_device != HOST || from_device != HOST)
        return EINVAL;
    copy_box(to, from, element, dimensions, volume, to_offsets, from_offsets, to_sizes, from_sizes);
    return 0;
}

/* The compiler keeps the number of dependences of a depend object in the element before its first. */
static void wait_for(int count, omp_depend_t *objects)
{
    void __kmpc_omp_wait_deps(PLACE, int32_t, const struct dependence *, int32_t, const struct dependence *);
    for (int at = 0; at < count; at++) {
        const struct dependence *list = objects[at];
        __kmpc_omp_wait_deps(NULL, 0, (int32_t) list[-1].address, list, 0, NULL);
    }
}

int omp_target_memcpy_async(void *to, const void *from, size_t bytes, size_t to_offset, size_t from_offset,
                            int to_device, int from_device, int count, omp_depend_t *objects)
{
    wait_for(count, objects);
    return omp_target_memcpy(to, from, bytes, to_offset, from_offset, to_device, from_device);
}

int omp_target_memcpy_rect_async(void *to, const void *from, size_t element, int dimensions, const size_t *volume,
                                 const size_t *to_offsets, const size_t *from_offsets, const size_t *to_sizes,
                                 const size_t *from_sizes, int to_device, int from_device, int count,
                                 omp_depend_t *objects)
{
    wait_for(count, objects);
    return omp_target_memcpy_rect(to, from, element, dimensions, volume, to_offsets, from_offsets, to_sizes, from_sizes,
                                  to_device, from_device);
}

/* ---- Interoperability: the compiler makes objects, which are all omp_interop_none ---- */

void __tgt_interop_init(PLACE, omp_interop_t *object, int64_t kind, int64_t device, int32_t count, void *list,
                        int32_t no_wait)
{
    void __kmpc_omp_wait_deps(PLACE, int32_t, const struct dependence *, int32_t, const struct dependence *);
    (void) kind;
    (void) device;
    (void) no_wait;
    __kmpc_omp_wait_deps(place, id, count, list, 0, NULL);
    *object = omp_interop_none;
}

int omp_get_num_interop_properties(const omp_interop_t object)
{
    (void) object;
    return 0;
}
static void nothing(int *code)
{
    if (code)
        *code = omp_irc_empty;
}
omp_intptr_t omp_get_interop_int(const omp_interop_t object, omp_interop_property_t property, int *code)
{
    (void) object;
    (void) property;
    nothing(code);
    return 0;
}
void *omp_get_interop_ptr(const omp_interop_t object, omp_interop_property_t property, int *code)
{
    (void) object;
    (void) property;
    nothing(code);
    return NULL;
}
const char *omp_get_interop_str(const omp_interop_t object, omp_interop_property_t property, int *code)
{
    (void) object;
    (void) property;
    nothing(code);
    return NULL;
}
const char *omp_get_interop_name(const omp_interop_t object, omp_interop_property_t property)
{
    static const char *const names[] = {"fr_id",    "fr_name", "vendor",         "vendor_name", "device_num",
                                        "platform", "device",  "device_context", "targetsync"};
    (void) object;
    return property >= omp_ipr_first && property < 0 ? names[-property - 1] : NULL;
}
const char *omp_get_interop_type_desc(const omp_interop_t object, omp_interop_property_t property)
{
    (void) object;
    (void) property;
    return NULL;
}
const char *omp_get_interop_rc_desc(const omp_interop_t object, omp_interop_rc_t code)
{
    (void) object;
    return code == omp_irc_success ? "it has worked" : "there is no object, since there is no device";
}
