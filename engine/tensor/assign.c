/* to[...] = from[...] between any two layouts and element types. */
#include <string.h>
#include "tensor/convert.h"
#include "tensor/tensor.h"

/* Copies a row of `count` elements; steps are in elements. The rows do not overlap. */
typedef void RowCopy(char *to, int64_t to_step, const char *from, int64_t from_step,
                     int64_t count);

/* clang-format off */
#define ROW_COPY(kind, from_id, from_type, to_id, to_type)                               \
    static void copy_##from_id##_to_##to_id(char *to_bytes, int64_t to_step,             \
                                            const char *from_bytes, int64_t from_step,   \
                                            int64_t count) {                             \
        to_type *restrict to = (to_type *)(void *)to_bytes;                              \
        const from_type *restrict from = (const from_type *)(const void *)from_bytes;    \
        if (to_step == 1 && from_step == 1) {                                            \
            _Pragma("omp simd")                                                          \
            for (int64_t i = 0; i < count; i++) to[i] = CONVERT(kind, to_id, from[i]);   \
            return;                                                                      \
        }                                                                                \
        for (int64_t i = 0; i < count; i++)                                              \
            to[i * to_step] = CONVERT(kind, to_id, from[i * from_step]);                 \
    }
/* clang-format on */
#define ROW_COPIES(kind, id, type)                                                       \
    ROW_COPY(kind, id, type, BOOL, uint8_t)                                              \
    ROW_COPY(kind, id, type, UINT8, uint8_t)                                             \
    ROW_COPY(kind, id, type, INT32, int32_t)                                             \
    ROW_COPY(kind, id, type, INT64, int64_t)                                             \
    ROW_COPY(kind, id, type, FLOAT32, float)                                             \
    ROW_COPY(kind, id, type, FLOAT64, double)
ROW_COPIES(WHOLE, BOOL, uint8_t)
ROW_COPIES(WHOLE, UINT8, uint8_t)
ROW_COPIES(WHOLE, INT32, int32_t)
ROW_COPIES(WHOLE, INT64, int64_t)
ROW_COPIES(REAL, FLOAT32, float)
ROW_COPIES(REAL, FLOAT64, double)

/* From the first index to the second. */
static RowCopy *const row_copies[DTYPE_COUNT][DTYPE_COUNT] = {
#define X(id, name, type)                                                                \
    [DTYPE_##id] = {[DTYPE_BOOL] = copy_##id##_to_BOOL,                                  \
                    [DTYPE_UINT8] = copy_##id##_to_UINT8,                                \
                    [DTYPE_INT32] = copy_##id##_to_INT32,                                \
                    [DTYPE_INT64] = copy_##id##_to_INT64,                                \
                    [DTYPE_FLOAT32] = copy_##id##_to_FLOAT32,                            \
                    [DTYPE_FLOAT64] = copy_##id##_to_FLOAT64},
    DTYPES(X)
#undef X
};

/* The loops of a copy, outermost first: axes of size 1 are gone, and axes that lie one
 * after the other in both tensors are one. */
typedef struct Loops {
    int count;
    int64_t size[SHAPE_MAX], to_stride[SHAPE_MAX], from_stride[SHAPE_MAX];
} Loops;

static Loops collapse(const Tensor *to, const Tensor *from) {
    Loops loops = {0};
    for (int axis = 0; axis < to->shape.ndim; axis++) {
        int64_t size = to->shape.dim[axis];
        if (size == 1) continue;
        int outer = loops.count - 1;
        if (outer >= 0 && loops.to_stride[outer] == size * to->stride[axis] &&
            loops.from_stride[outer] == size * from->stride[axis]) {
            loops.size[outer] *= size;
        } else {
            loops.size[++outer] = size;
            loops.count++;
        }
        loops.to_stride[outer] = to->stride[axis];
        loops.from_stride[outer] = from->stride[axis];
    }
    if (loops.count == 0) { /* a single element */
        loops = (Loops){.count = 1, .size = {1}, .to_stride = {1}, .from_stride = {1}};
    }
    return loops;
}

/* Shapes are equal, nothing overlaps. */
static void copy_elements(const Tensor *to, const Tensor *from) {
    if (tensor_size(to) == 0) return;
    Loops loops = collapse(to, from);
    int row = loops.count - 1;
    int64_t to_bytes = (int64_t)dtype_size(to->dtype);
    int64_t from_bytes = (int64_t)dtype_size(from->dtype);
    bool plain = to->dtype == from->dtype && loops.to_stride[row] == 1 &&
                 loops.from_stride[row] == 1;
    RowCopy *copy = row_copies[from->dtype][to->dtype];
    char *to_at = to->data;
    const char *from_at = from->data;
    int64_t index[SHAPE_MAX] = {0};
    for (;;) {
        if (plain) {
            memcpy(to_at, from_at, (size_t)(loops.size[row] * to_bytes));
        } else {
            copy(to_at, loops.to_stride[row], from_at, loops.from_stride[row],
                 loops.size[row]);
        }
        int axis = row - 1;
        for (; axis >= 0; axis--) { /* the next row, like an odometer */
            to_at += loops.to_stride[axis] * to_bytes;
            from_at += loops.from_stride[axis] * from_bytes;
            if (++index[axis] < loops.size[axis]) break;
            to_at -= loops.size[axis] * loops.to_stride[axis] * to_bytes;
            from_at -= loops.size[axis] * loops.from_stride[axis] * from_bytes;
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}

/* The bytes that a tensor's elements span: [*low, *high). */
static void extent(const Tensor *t, uintptr_t *low, uintptr_t *high) {
    int64_t below = 0, above = 0;
    for (int axis = 0; axis < t->shape.ndim; axis++) {
        int64_t reach = (t->shape.dim[axis] - 1) * t->stride[axis];
        if (reach < 0)
            below += reach;
        else
            above += reach;
    }
    int64_t bytes = (int64_t)dtype_size(t->dtype);
    *low = (uintptr_t)t->data + (uintptr_t)(below * bytes);
    *high = (uintptr_t)t->data + (uintptr_t)((above + 1) * bytes);
}

static bool overlap(const Tensor *a, const Tensor *b) {
    if (a->buffer != b->buffer || tensor_size(a) == 0) return false;
    uintptr_t a_low, a_high, b_low, b_high;
    extent(a, &a_low, &a_high);
    extent(b, &b_low, &b_high);
    return a_low < b_high && b_low < a_high;
}

bool tensor_assign(const Tensor *to, const Tensor *from, Err *err) {
    Tensor source;
    if (!tensor_broadcast(from, to->shape, &source, err)) return false;
    if (overlap(to, &source)) {
        Tensor apart;
        bool ok = tensor_new(&apart, source.dtype, source.shape, err);
        if (ok) copy_elements(&apart, &source);
        tensor_release(&source);
        if (!ok) return false;
        source = apart;
    }
    copy_elements(to, &source);
    tensor_release(&source);
    return true;
}
