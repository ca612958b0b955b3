#include "data/class_weight.h"
#include <math.h>

/* The class of row i of labels (n, width). */
static int64_t label_of(const Tensor *labels, int64_t i, int64_t width) {
    size_t size = dtype_size(labels->dtype);
    const char *row = labels->data + (size_t)(i * width) * size;
    if (width == 1) return (int64_t)llround(dtype_load(labels->dtype, row));
    int64_t best = 0;
    double most = dtype_load(labels->dtype, row);
    for (int64_t k = 1; k < width; k++) {
        double value = dtype_load(labels->dtype, row + (size_t)k * size);
        if (value > most) most = value, best = k;
    }
    return best;
}

static double weight_of(int64_t label, int n, const ClassWeight weight[]) {
    for (int k = 0; k < n; k++)
        if (weight[k].label == label) return weight[k].weight;
    return 1;
}

bool class_weight_apply(const Tensor *y, int n, const ClassWeight weight[], Tensor *out,
                        Err *err) {
    char text[SHAPE_TEXT];
    int ndim = y->shape.ndim;
    if (ndim < 1 || ndim > 2 || (ndim == 2 && y->shape.dim[1] < 1))
        return err_set(
            err,
            "class_weight wants labels of shape {n}, {n, 1} or {n, classes}; y is %s",
            shape_text(&y->shape, text));
    Tensor labels = {0}, made = {0};
    if (!tensor_contiguous(y, &labels, err)) return false;
    int64_t rows = y->shape.dim[0], width = ndim == 2 ? y->shape.dim[1] : 1;
    bool ok = tensor_new(&made, DTYPE_FLOAT32, shape_of(1, rows), err);
    for (int64_t i = 0; ok && i < rows; i++)
        ((float *)made.data)[i] =
            (float)weight_of(label_of(&labels, i, width), n, weight);
    tensor_release(&labels);
    if (ok) *out = made;
    return ok;
}
