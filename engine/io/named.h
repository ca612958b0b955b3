/* Tensors with names: what the archives of arrays (.npz, .safetensors) hold. What is
 * loaded owns its names and tensors; what is saved may borrow both.
 *
 *     NamedTensors arrays = {0};
 *     if (!npz_load(path, &arrays, &err)) ...
 *     for (int64_t k = 0; k < arrays.count; k++) use(&arrays.list[k]);
 *     named_free(&arrays); */
#ifndef CDL_IO_NAMED_H
#define CDL_IO_NAMED_H
#include "tensor/tensor.h"

typedef struct NamedTensor {
    const char *name;
    Tensor tensor;
} NamedTensor;

typedef struct NamedTensors {
    NamedTensor *list;
    int64_t count;
} NamedTensors;

void named_free(NamedTensors *arrays);

/* A name that stands twice would let one array hide another; the message begins with the
 * path. */
bool named_check(const char *path, const NamedTensor *list, int64_t count, Err *err);

#endif
