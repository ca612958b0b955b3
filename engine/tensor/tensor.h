/* A tensor is a view of a buffer: data pointer, dtype, shape, strides. Buffers are the
 * only counted things; tensors are plain values that hold one reference each.
 *
 *     Tensor t = {0};
 *     if (!tensor_new(&t, DTYPE_FLOAT32, shape_of(2, 3L, 4L), &err)) ...
 *     Tensor row = tensor_retain(&t);      // shares the memory
 *     tensor_release(&row); tensor_release(&t);
 *
 * Buffers of equal size classes are kept in a small free list, so that eager code does not
 * pay for page faults at every op. */
#ifndef CDL_TENSOR_TENSOR_H
#define CDL_TENSOR_TENSOR_H
#include "tensor/dtype.h"
#include "tensor/shape.h"

typedef struct Buffer {
    void *data;
    size_t bytes;
    int references; /* main thread only */
} Buffer;

typedef struct Tensor {
    Buffer *buffer; /* NULL: no tensor */
    char *data;     /* first element */
    DType dtype;
    Shape shape;
    int64_t stride[SHAPE_MAX]; /* in elements; 0 and negative are fine */
} Tensor;

bool tensor_new(Tensor *out, DType dtype, Shape shape, Err *err);  /* uninitialised */
bool tensor_zero(Tensor *out, DType dtype, Shape shape, Err *err); /* zeros */
Tensor tensor_retain(const Tensor *tensor);
void tensor_release(Tensor *tensor); /* also sets buffer to NULL */
bool tensor_is_contiguous(const Tensor *tensor);
static inline int64_t tensor_size(const Tensor *t) { return shape_size(&t->shape); }
static inline size_t tensor_bytes(const Tensor *t) {
    return (size_t)tensor_size(t) * dtype_size(t->dtype);
}

/* A contiguous tensor with the same values: the same memory when it already is. */
bool tensor_contiguous(const Tensor *tensor, Tensor *out, Err *err);
bool tensor_copy(const Tensor *tensor, Tensor *out,
                 Err *err); /* new memory, contiguous */
/* to[...] = from[...], broadcast and cast like C (NaN to an integer gives 0); views are fine.
 * Overlapping memory is handled. Shapes that do not broadcast to `to` are an error. */
bool tensor_assign(const Tensor *to, const Tensor *from, Err *err);
bool tensor_cast(const Tensor *tensor, DType dtype, Tensor *out,
                 Err *err); /* always a copy */

/* Views. Axes from 0; arguments are checked. start: first index, count: how many, step may be
 * negative, never 0. reshape of a non-contiguous tensor copies. */
bool tensor_slice(const Tensor *t, const int64_t start[], const int64_t count[],
                  const int64_t step[], Tensor *view, Err *err);
bool tensor_drop_axis(const Tensor *t, int axis, Tensor *view,
                      Err *err); /* size 1 there */
bool tensor_permute(const Tensor *t, const int perm[], Tensor *view, Err *err);
bool tensor_reshape(const Tensor *t, Shape shape, Tensor *view, Err *err);
bool tensor_broadcast(const Tensor *t, Shape shape, Tensor *view, Err *err);

double tensor_load(const Tensor *t, const int64_t index[]); /* one element */
void tensor_store(const Tensor *t, const int64_t index[], double value);
int64_t tensor_load_int(const Tensor *t, const int64_t index[]); /* exact for int64 */

int64_t tensor_alive(void); /* buffers alive (tests look for leaks) */
void tensor_trim(void);     /* empties the free list */

/* NumPy-like text, at most about 1000 elements shown ("..." beyond); the caller frees with
 * mem_free. NULL: no memory.   tensor float32 {2, 2}\n[[1, 2],\n [3, 4]] */
char *tensor_text(const Tensor *t);

#endif
