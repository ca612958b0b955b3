#include "tensor/tensor.h"
#include <string.h>
#include "tensor/buffer.h"

bool tensor_new(Tensor *out, DType dtype, Shape shape, Err *err) {
    if (!shape_check(&shape, dtype_size(dtype), err)) return false;
    size_t bytes = (size_t)shape_size(&shape) * dtype_size(dtype);
    Buffer *buffer = buffer_new(bytes);
    if (!buffer) {
        char text[SHAPE_TEXT];
        return err_set(err, "out of memory: a %s tensor of shape %s needs %zu bytes",
                       dtype_name(dtype), shape_text(&shape, text), bytes);
    }
    *out =
        (Tensor){.buffer = buffer, .data = buffer->data, .dtype = dtype, .shape = shape};
    shape_strides(&shape, out->stride);
    return true;
}

bool tensor_zero(Tensor *out, DType dtype, Shape shape, Err *err) {
    if (!tensor_new(out, dtype, shape, err)) return false;
    memset(out->data, 0, tensor_bytes(out));
    return true;
}

Tensor tensor_retain(const Tensor *tensor) {
    if (tensor->buffer) tensor->buffer->references++;
    return *tensor;
}

void tensor_release(Tensor *tensor) {
    if (tensor->buffer) buffer_release(tensor->buffer);
    tensor->buffer = NULL;
    tensor->data = NULL;
}

bool tensor_is_contiguous(const Tensor *tensor) {
    int64_t step = 1;
    for (int axis = tensor->shape.ndim - 1; axis >= 0; axis--) {
        int64_t size = tensor->shape.dim[axis];
        if (size == 0) return true;
        if (size != 1 && tensor->stride[axis] != step) {
            /* What looks strided holds no element at all if an outer axis is empty. */
            return tensor_size(tensor) == 0;
        }
        step *= size;
    }
    return true;
}

bool tensor_copy(const Tensor *tensor, Tensor *out, Err *err) {
    return tensor_cast(tensor, tensor->dtype, out, err);
}

bool tensor_cast(const Tensor *tensor, DType dtype, Tensor *out, Err *err) {
    Tensor copy;
    if (!tensor_new(&copy, dtype, tensor->shape, err)) return false;
    if (!tensor_assign(&copy, tensor, err)) {
        tensor_release(&copy);
        return false;
    }
    *out = copy;
    return true;
}

bool tensor_contiguous(const Tensor *tensor, Tensor *out, Err *err) {
    if (!tensor_is_contiguous(tensor)) return tensor_copy(tensor, out, err);
    Tensor same = tensor_retain(tensor);
    shape_strides(&same.shape, same.stride); /* those of axes of size 1 may be anything */
    *out = same;
    return true;
}

static char *element(const Tensor *t, const int64_t index[]) {
    int64_t offset = 0;
    for (int axis = 0; axis < t->shape.ndim; axis++)
        offset += index[axis] * t->stride[axis];
    return t->data + offset * (int64_t)dtype_size(t->dtype);
}

double tensor_load(const Tensor *t, const int64_t index[]) {
    return dtype_load(t->dtype, element(t, index));
}

void tensor_store(const Tensor *t, const int64_t index[], double value) {
    dtype_store(t->dtype, element(t, index), value);
}

int64_t tensor_load_int(const Tensor *t, const int64_t index[]) {
    const char *at = element(t, index);
    if (t->dtype == DTYPE_INT64) return *(const int64_t *)(const void *)at;
    int64_t value;
    double real = dtype_load(t->dtype, at);
    dtype_store(DTYPE_INT64, &value, real);
    return value;
}
