/* Writing .safetensors files. The header names the arrays in the order given; their bytes
 * lie by falling size of an element, so that each begins at a multiple of that. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/atomic.h"
#include "io/element.h"
#include "io/safetensors.h"

enum { ALIGN = 8, LENGTH = 8 };

static const char *const type_names[DTYPE_COUNT] = {
    [DTYPE_BOOL] = "BOOL", [DTYPE_UINT8] = "U8",    [DTYPE_INT32] = "I32",
    [DTYPE_INT64] = "I64", [DTYPE_FLOAT32] = "F32", [DTYPE_FLOAT64] = "F64"};

static bool fail(const char *path, const char *what, Err *err) {
    return err_set(err, "cannot write '%.600s': %s", path, what);
}

static bool add_metadata(json_t *header, const Safetensors *file) {
    if (!file->metadata_count) return true;
    json_t *metadata = json_object();
    bool ok = metadata != NULL;
    for (int64_t k = 0; ok && k < file->metadata_count; k++)
        ok = json_object_set_new(metadata, file->metadata[k].key,
                                 json_string(file->metadata[k].value)) == 0;
    /* A value that could not be made is NULL, which set_new refuses. */
    return json_object_set_new(header, "__metadata__", metadata) == 0 && ok;
}

static json_t *describe(const Tensor *tensor, size_t from) {
    json_t *shape = json_array();
    for (int k = 0; k < tensor->shape.ndim; k++)
        json_array_append_new(shape, json_integer(tensor->shape.dim[k]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_names[tensor->dtype], "shape",
                     shape, "data_offsets", (json_int_t)from,
                     (json_int_t)(from + tensor_bytes(tensor)));
}

/* The places of the arrays in the order of their bytes, and the header that says so. */
static json_t *make_header(const char *path, const Safetensors *file, size_t *from,
                           Err *err) {
    const NamedTensor *list = file->arrays.list;
    size_t at = 0;
    for (size_t width = 8; width; width /= 2)
        for (int64_t k = 0; k < file->arrays.count; k++)
            if (dtype_size(list[k].tensor.dtype) == width) {
                from[k] = at;
                at += tensor_bytes(&list[k].tensor);
            }
    json_t *header = json_object();
    bool ok = header && add_metadata(header, file);
    for (int64_t k = 0; ok && k < file->arrays.count; k++)
        ok = json_object_set_new(header, list[k].name,
                                 describe(&list[k].tensor, from[k])) == 0;
    if (ok) return header;
    json_decref(header);
    fail(path, "a name is not UTF-8 text, or there is not enough memory", err);
    return NULL;
}

/* The header as text, with spaces behind it so that the data begin at a multiple of 8. */
static bool append_header(Atomic *file, const json_t *header, Err *err) {
    static const char spaces[ALIGN + 1] = "        ";
    char *text = json_dumps(header, JSON_COMPACT);
    if (!text) return fail(file->path, "not enough memory", err);
    size_t length = strlen(text), padding = (ALIGN - length % ALIGN) % ALIGN;
    unsigned char start[LENGTH];
    for (int k = 0; k < LENGTH; k++)
        start[k] = (unsigned char)((uint64_t)(length + padding) >> 8 * k);
    bool ok = atomic_append(file, start, LENGTH, err) &&
              atomic_append(file, text, length, err) &&
              atomic_append(file, spaces, padding, err);
    free(text);
    return ok;
}

/* The file is little-endian whatever this machine is. */
static bool append_array(Atomic *file, const Tensor *tensor, Err *err) {
    Tensor straight = {0};
    if (!(HOST_BIG_ENDIAN ? tensor_copy : tensor_contiguous)(tensor, &straight, err))
        return false;
    if (HOST_BIG_ENDIAN) element_swap(&straight);
    bool ok = atomic_append(file, straight.data, tensor_bytes(&straight), err);
    tensor_release(&straight);
    return ok;
}

static bool append_all(Atomic *out, const json_t *header, const Safetensors *file,
                       Err *err) {
    const NamedTensor *list = file->arrays.list;
    if (!append_header(out, header, err)) return false;
    for (size_t width = 8; width; width /= 2)
        for (int64_t k = 0; k < file->arrays.count; k++)
            if (dtype_size(list[k].tensor.dtype) == width &&
                !append_array(out, &list[k].tensor, err))
                return false;
    return true;
}

bool safetensors_save(const char *path, const Safetensors *file, Err *err) {
    Atomic out;
    if (!named_check(path, file->arrays.list, file->arrays.count, err)) return false;
    for (int64_t k = 0; k < file->arrays.count; k++)
        if (strcmp(file->arrays.list[k].name, "__metadata__") == 0)
            return fail(path, "an array cannot be named __metadata__", err);
    size_t *from = mem_alloc((size_t)file->arrays.count * sizeof *from + 1);
    if (!from) return fail(path, "not enough memory", err);
    json_t *header = make_header(path, file, from, err);
    mem_free(from);
    bool ok = header && atomic_open(&out, path, err);
    if (ok) {
        ok = append_all(&out, header, file, err);
        if (ok)
            ok = atomic_commit(&out, err);
        else
            atomic_cancel(&out);
    }
    json_decref(header);
    return ok;
}
