/* Shapes: up to SHAPE_MAX axes, row-major. Axes count from 0 here (Lua's from 1). */
#ifndef CDL_TENSOR_SHAPE_H
#define CDL_TENSOR_SHAPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum { SHAPE_MAX = 8, SHAPE_TEXT = 192 };

typedef struct Shape {
    int ndim;
    int64_t dim[SHAPE_MAX];
} Shape;

int64_t shape_size(const Shape *shape); /* number of elements; 1 for ndim 0 */
bool shape_check(const Shape *shape, size_t element,
                 Err *err); /* no negative, bytes fit in 2^62 */
bool shape_equal(const Shape *a, const Shape *b);
/* NumPy's broadcasting; error: "shapes {2, 3} and {4} do not broadcast". */
bool shape_broadcast(const Shape *a, const Shape *b, Shape *out, Err *err);
void shape_strides(const Shape *shape, int64_t stride[SHAPE_MAX]); /* in elements */
/* "{2, 3}" into text (SHAPE_TEXT bytes); returns text. */
char *shape_text(const Shape *shape, char *text);
Shape shape_of(int ndim, ...); /* int64_t sizes, for C code and tests */

#endif
