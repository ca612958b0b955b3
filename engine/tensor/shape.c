#include "tensor/shape.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/mem.h"

int64_t shape_size(const Shape *shape) {
    int64_t size = 1;
    for (int axis = 0; axis < shape->ndim; axis++) size *= shape->dim[axis];
    return size;
}

bool shape_check(const Shape *shape, size_t element, Err *err) {
    char text[SHAPE_TEXT];
    if (shape->ndim < 0 || shape->ndim > SHAPE_MAX)
        return err_set(err, "a shape has at most %d axes, this one %d", SHAPE_MAX,
                       shape->ndim);
    size_t bytes = element;
    for (int axis = 0; axis < shape->ndim; axis++) {
        int64_t size = shape->dim[axis];
        if (size < 0)
            return err_set(err, "shape %s: the size of axis %d is negative",
                           shape_text(shape, text), axis + 1);
        /* An axis of size 0 does not excuse the others: strides must fit as well. */
        if (!mem_product(bytes, size ? (size_t)size : 1, &bytes) || bytes > (size_t)1
                                                                                << 62)
            return err_set(err, "shape %s is too large: it needs more than 2^62 bytes",
                           shape_text(shape, text));
    }
    return true;
}

bool shape_equal(const Shape *a, const Shape *b) {
    if (a->ndim != b->ndim) return false;
    for (int axis = 0; axis < a->ndim; axis++)
        if (a->dim[axis] != b->dim[axis]) return false;
    return true;
}

bool shape_broadcast(const Shape *a, const Shape *b, Shape *out, Err *err) {
    Shape result = {.ndim = a->ndim > b->ndim ? a->ndim : b->ndim};
    for (int axis = 0; axis < result.ndim; axis++) { /* counted from the last */
        int64_t of_a = axis < a->ndim ? a->dim[a->ndim - 1 - axis] : 1;
        int64_t of_b = axis < b->ndim ? b->dim[b->ndim - 1 - axis] : 1;
        if (of_a != of_b && of_a != 1 && of_b != 1) {
            char text_a[SHAPE_TEXT], text_b[SHAPE_TEXT];
            return err_set(err, "shapes %s and %s do not broadcast",
                           shape_text(a, text_a), shape_text(b, text_b));
        }
        result.dim[result.ndim - 1 - axis] = of_a == 1 ? of_b : of_a;
    }
    if (!shape_check(&result, 1, err)) return false;
    *out = result;
    return true;
}

void shape_strides(const Shape *shape, int64_t stride[SHAPE_MAX]) {
    int64_t step = 1;
    for (int axis = shape->ndim - 1; axis >= 0; axis--) {
        stride[axis] = step;
        step *= shape->dim[axis] ? shape->dim[axis] : 1;
    }
}

char *shape_text(const Shape *shape, char *text) {
    int used = snprintf(text, SHAPE_TEXT, "{");
    for (int axis = 0; axis < shape->ndim && axis < SHAPE_MAX; axis++)
        used += snprintf(text + used, (size_t)(SHAPE_TEXT - used), "%s%lld",
                         axis ? ", " : "", (long long)shape->dim[axis]);
    snprintf(text + used, (size_t)(SHAPE_TEXT - used), "}");
    return text;
}

Shape shape_of(int ndim, ...) {
    Shape shape = {.ndim = ndim};
    va_list sizes;
    va_start(sizes, ndim);
    for (int axis = 0; axis < ndim && axis < SHAPE_MAX; axis++)
        shape.dim[axis] = va_arg(sizes, int64_t);
    va_end(sizes);
    return shape;
}
