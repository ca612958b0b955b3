/* Views: other shapes and strides over the same memory. */
#include "tensor/tensor.h"

/* Where the strides change, the caller has checked that every element stays inside. */
static Tensor view_of(const Tensor *t, int64_t offset) {
    Tensor view = tensor_retain(t);
    view.data += offset * (int64_t)dtype_size(t->dtype);
    return view;
}

/* Whether indices start, start + step, ... (count of them) are all in [0, size). */
static bool range_fits(int64_t start, int64_t count, int64_t step, int64_t size) {
    int64_t last;
    if (count < 0 || step == 0) return false;
    if (count == 0) return true;
    if (__builtin_mul_overflow(count - 1, step, &last)) return false;
    if (__builtin_add_overflow(start, last, &last)) return false;
    return start >= 0 && start < size && last >= 0 && last < size;
}

bool tensor_slice(const Tensor *t, const int64_t start[], const int64_t count[],
                  const int64_t step[], Tensor *view, Err *err) {
    int64_t offset = 0;
    for (int axis = 0; axis < t->shape.ndim; axis++) {
        int64_t size = t->shape.dim[axis];
        if (!range_fits(start[axis], count[axis], step[axis], size)) {
            char text[SHAPE_TEXT];
            return err_set(err,
                           "axis %d of shape %s has %lld elements; %lld elements from "
                           "number %lld on in steps of %lld are not inside",
                           axis + 1, shape_text(&t->shape, text), (long long)size,
                           (long long)count[axis], (long long)start[axis] + 1,
                           (long long)step[axis]);
        }
        if (count[axis] > 0) offset += start[axis] * t->stride[axis];
    }
    Tensor slice = view_of(t, offset);
    for (int axis = 0; axis < t->shape.ndim; axis++) {
        slice.shape.dim[axis] = count[axis];
        if (count[axis] > 1) slice.stride[axis] *= step[axis];
    }
    *view = slice;
    return true;
}

bool tensor_drop_axis(const Tensor *t, int axis, Tensor *view, Err *err) {
    char text[SHAPE_TEXT];
    if (axis < 0 || axis >= t->shape.ndim)
        return err_set(err, "shape %s has no axis %d", shape_text(&t->shape, text),
                       axis + 1);
    if (t->shape.dim[axis] != 1)
        return err_set(
            err, "axis %d of shape %s has size %lld; only one of size 1 can go", axis + 1,
            shape_text(&t->shape, text), (long long)t->shape.dim[axis]);
    Tensor dropped = view_of(t, 0);
    dropped.shape.ndim--;
    for (int i = axis; i < dropped.shape.ndim; i++) {
        dropped.shape.dim[i] = t->shape.dim[i + 1];
        dropped.stride[i] = t->stride[i + 1];
    }
    *view = dropped;
    return true;
}

bool tensor_permute(const Tensor *t, const int perm[], Tensor *view, Err *err) {
    int ndim = t->shape.ndim;
    unsigned seen = 0;
    for (int axis = 0; axis < ndim; axis++) {
        bool valid = perm[axis] >= 0 && perm[axis] < ndim;
        if (valid) seen |= 1u << perm[axis];
    }
    if (seen != (1u << ndim) - 1) {
        char text[SHAPE_TEXT], order_text[SHAPE_TEXT];
        Shape order = {.ndim = ndim};
        for (int axis = 0; axis < ndim; axis++) order.dim[axis] = (int64_t)perm[axis] + 1;
        return err_set(err, "%s does not name each of the %d axes of shape %s once",
                       shape_text(&order, order_text), ndim, shape_text(&t->shape, text));
    }
    Tensor permuted = view_of(t, 0);
    for (int axis = 0; axis < ndim; axis++) {
        permuted.shape.dim[axis] = t->shape.dim[perm[axis]];
        permuted.stride[axis] = t->stride[perm[axis]];
    }
    *view = permuted;
    return true;
}

bool tensor_reshape(const Tensor *t, Shape shape, Tensor *view, Err *err) {
    if (!shape_check(&shape, dtype_size(t->dtype), err)) return false;
    if (shape_size(&shape) != tensor_size(t)) {
        char from[SHAPE_TEXT], to[SHAPE_TEXT];
        return err_set(err, "cannot reshape %s (%lld elements) to %s (%lld elements)",
                       shape_text(&t->shape, from), (long long)tensor_size(t),
                       shape_text(&shape, to), (long long)shape_size(&shape));
    }
    Tensor reshaped;
    if (!tensor_contiguous(t, &reshaped, err)) return false;
    reshaped.shape = shape;
    shape_strides(&shape, reshaped.stride);
    *view = reshaped;
    return true;
}

bool tensor_broadcast(const Tensor *t, Shape shape, Tensor *view, Err *err) {
    int added = shape.ndim - t->shape.ndim;
    bool fits = added >= 0;
    for (int axis = 0; fits && axis < t->shape.ndim; axis++) {
        int64_t size = t->shape.dim[axis];
        fits = size == 1 || size == shape.dim[axis + added];
    }
    if (!fits) {
        char from[SHAPE_TEXT], to[SHAPE_TEXT];
        return err_set(err, "shape %s does not broadcast to %s",
                       shape_text(&t->shape, from), shape_text(&shape, to));
    }
    if (!shape_check(&shape, dtype_size(t->dtype), err)) return false;
    Tensor wide = view_of(t, 0);
    wide.shape = shape;
    for (int axis = 0; axis < shape.ndim; axis++) {
        bool repeats = axis < added || t->shape.dim[axis - added] != shape.dim[axis];
        wide.stride[axis] = repeats ? 0 : t->stride[axis - added];
    }
    *view = wide;
    return true;
}
