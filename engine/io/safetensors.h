/* .safetensors files (github.com/huggingface/safetensors): the length of a header as eight
 * bytes, the header as JSON, then the arrays' bytes, each little-endian and row-major.
 *
 *     {"kernel": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...
 *      "__metadata__": {"format": "pt"}}
 *
 *     Safetensors file = {0};
 *     if (!safetensors_load(path, &file, &err)) ...
 *     use(file.arrays.list, file.metadata);
 *     safetensors_free(&file);
 *
 * Everything in the header is checked before memory for an array is asked for: offsets lie
 * in the file, leave no holes, do not overlap, and fit dtype and shape. Types that cdl
 * does not have become the nearest one (io/element.h); float16 and bfloat16 float32. */
#ifndef CDL_IO_SAFETENSORS_H
#define CDL_IO_SAFETENSORS_H
#include "io/named.h"

typedef struct MetadataEntry {
    const char *key, *value; /* UTF-8 */
} MetadataEntry;

typedef struct Safetensors {
    NamedTensors arrays; /* in the header's order */
    MetadataEntry *metadata;
    int64_t metadata_count;
} Safetensors;

bool safetensors_load(const char *path, Safetensors *out, Err *err);
void safetensors_free(Safetensors *file);

/* Atomic; borrows what it is given. The header keeps the order of the arrays. */
bool safetensors_save(const char *path, const Safetensors *file, Err *err);

#endif
