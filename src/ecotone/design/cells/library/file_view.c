/* Views: which bytes of a file belong to a rank, in which order. A file type is laid out as runs of bytes, once. */
#include "file.h"

struct run_list {
    struct file_run *runs;
    int count, capacity;
};

static void add_run(struct run_list *list, long long offset, long long bytes)
{
    struct file_run *last = list->count ? &list->runs[list->count - 1] : NULL;
    if (bytes == 0) return;
    if (last && last->offset + last->bytes == offset) {
        last->bytes += bytes;
        return;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 8;
        list->runs = realloc(list->runs, (size_t) list->capacity * sizeof *list->runs);
        if (!list->runs) eco_abort(MPI_ERR_NO_MEM);
    }
    list->runs[list->count++] = (struct file_run){.offset = offset, .bytes = bytes};
}

static void add_runs(struct run_list *list, long long at, int count, const struct eco_type *type)
{
    if (type->whole || (count == 1 && type->dense)) {
        add_run(list, at + type->true_lb, (long long) count * type->size);
        return;
    }
    for (int i = 0; i < count; i++, at += type_extent(type)) {
        if (type->dense) add_run(list, at + type->true_lb, type->size);
        for (int r = 0; r < type->repeats && !type->dense; r++)
            for (int p = 0; p < type->part_count; p++) {
                const struct part *part = &type->parts[p];
                add_runs(list, at + (long long) r * type->stride + part->offset, part->blocks, part->type);
            }
    }
}

/* Bytes of a type in the file. */
static long long file_bytes(struct eco_type *type, bool external32)
{
    MPI_Aint bytes;
    if (!external32) return type->size;
    MPI_Pack_external_size("external32", 1, type, &bytes);
    return bytes;
}

/* The standard: from the front to the back, nothing before the displacement; for writing, nothing twice. */
static bool in_order(const struct run_list *list, bool writable)
{
    long long last = 0;
    for (int i = 0; i < list->count; i++) {
        if (list->runs[i].offset < last) return false;
        last = list->runs[i].offset + (writable ? list->runs[i].bytes : 0);
    }
    return true;
}

static bool element_in_order(const struct eco_type *element, bool writable)
{
    struct run_list list = {0};
    if (element->dense) return element->true_lb >= 0;
    add_runs(&list, 0, 1, element);
    bool good = in_order(&list, writable);
    free(list.runs);
    return good;
}

static void scale_runs(struct run_list *list, long long factor)
{
    long long before = 0;
    for (int i = 0; i < list->count; i++) {
        list->runs[i].bytes *= factor;
        list->runs[i].before = before;
        before += list->runs[i].bytes;
    }
}

int view_set(struct file_view *view, MPI_Offset displacement, struct eco_type *element, struct eco_type *type,
             bool external32, bool writable)
{
    if (external32 && element->wide) return MPI_ERR_UNSUPPORTED_DATAREP;
    /* The portable sizes of longs and addresses differ from ours: such a file type would have to be laid out anew. */
    bool stretched = file_bytes(element, external32) != element->size;
    bool plain = type_whole(type) && type_basic(type) && type_basic(type) == type_basic(element);
    if (stretched && !plain) return MPI_ERR_UNSUPPORTED_DATAREP;
    if (element->size == 0 || type->size % element->size) return MPI_ERR_ARG;
    struct run_list list = {0};
    long long factor = file_bytes(element, external32) / element->size;
    add_runs(&list, 0, 1, type);
    if (!in_order(&list, writable) || !element_in_order(element, writable)) {
        free(list.runs);
        return MPI_ERR_IO;
    }
    scale_runs(&list, factor);
    view_free(view);
    *view = (struct file_view){
        .displacement = displacement,
        .element = type_hold(element),
        .type = type_hold(type),
        .external32 = external32,
        .element_bytes = element->size * factor,
        .tile_bytes = type->size * factor,
        .tile_extent = type_extent(type) * factor,
        .run_count = list.count,
        .runs = list.runs,
    };
    return MPI_SUCCESS;
}

void view_free(struct file_view *view)
{
    if (view->element) type_release(view->element);
    if (view->type) type_release(view->type);
    free(view->runs);
    *view = (struct file_view){0};
}

/* The run in which the data byte `at` of the file type lies. */
static const struct file_run *find_run(const struct file_view *view, long long at)
{
    int low = 0, high = view->run_count;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (view->runs[middle].before <= at)
            low = middle;
        else
            high = middle;
    }
    return &view->runs[low];
}

MPI_Offset view_byte(const struct file_view *view, long long at, long long *length)
{
    *length = 0;
    if (view->tile_bytes == 0) return view->displacement;
    long long tile = at / view->tile_bytes, rest = at % view->tile_bytes;
    const struct file_run *run = find_run(view, rest);
    bool endless = view->run_count == 1 && run->bytes == view->tile_extent;
    rest -= run->before;
    *length = endless ? INT64_MAX : run->bytes - rest;
    return view->displacement + tile * view->tile_extent + run->offset + rest;
}

long long view_data_before(const struct file_view *view, MPI_Offset byte)
{
    long long inside = byte - view->displacement, total = 0;
    if (inside <= 0 || view->tile_extent <= 0) return 0;
    long long tile = inside / view->tile_extent;
    inside %= view->tile_extent;
    total = tile * view->tile_bytes;
    for (int i = 0; i < view->run_count; i++) {
        long long here = inside - view->runs[i].offset;
        if (here > 0) total += here < view->runs[i].bytes ? here : view->runs[i].bytes;
    }
    return total;
}
