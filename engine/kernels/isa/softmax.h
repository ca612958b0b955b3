/* Rows of softmax: y = e^(x - max), with the largest element and the sum of each row.
 * Callers divide by the sum, or take logarithms. Rows are handed out in blocks of
 * SOFTMAX_ROWS at most.
 *
 * A row that is all -inf, or has an inf or a nan, becomes nan. */
#ifndef CDL_KERNELS_ISA_SOFTMAX_H
#define CDL_KERNELS_ISA_SOFTMAX_H
#include <math.h>
#include "kernels/call.h"
#include "kernels/isa/vmath.h"

enum {
    SOFTMAX_ROWS = 128,
    SOFTMAX_WORK = 4096, /* elements in a part, about */
    SOFTMAX_NARROW = 32, /* below, rows are too short to be vectorised one by one */
    SOFTMAX_LANES = 64
};

/* Classes and rows of the input. */
static inline int64_t softmax_classes(const Call *call) {
    const Shape *shape = &call->in[0].shape;
    return shape->ndim ? shape->dim[shape->ndim - 1] : 1;
}

static inline int64_t softmax_rows(const Call *call) {
    int64_t classes = softmax_classes(call);
    return classes ? call->in[0].size / classes : 0;
}

static inline int64_t softmax_group(const Call *call) {
    int64_t classes = softmax_classes(call);
    return classes < SOFTMAX_WORK ? SOFTMAX_WORK / (classes ? classes : 1) : 1;
}

static inline int64_t softmax_parts(const Call *call) {
    return chunks(softmax_rows(call), softmax_group(call));
}

static inline double softmax_cost(const Call *call) {
    return (double)call->in[0].size * (call->in[0].dtype == DTYPE_FLOAT32 ? 0.8 : 12);
}

/* The next block of a part: rows [*first, *first + n); 0 at the end. */
static inline int64_t softmax_block(const Call *call, int64_t part, int64_t *first) {
    int64_t group = softmax_group(call), end = (part + 1) * group;
    int64_t rows = softmax_rows(call);
    if (end > rows) end = rows;
    int64_t left = end - *first;
    return left < SOFTMAX_ROWS ? left : SOFTMAX_ROWS;
}

/* Short rows: the exponentials of all rows in one loop. */
static inline void softmax_exp_narrow(const float *restrict x, float *restrict y,
                                      int64_t rows, int64_t classes, float *restrict most,
                                      float *restrict sum) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * classes;
        float largest = row[0];
        for (int64_t c = 1; c < classes; c++)
            largest = row[c] > largest ? row[c] : largest;
        for (int64_t c = 0; c < classes; c++) y[r * classes + c] = row[c] - largest;
        most[r] = largest;
    }
#pragma omp simd
    for (int64_t i = 0; i < rows * classes; i++) y[i] = vmath_exp(y[i]);
    for (int64_t r = 0; r < rows; r++) {
        float total = 0;
        for (int64_t c = 0; c < classes; c++) total += y[r * classes + c];
        sum[r] = total;
    }
}

/* A long row; the sum in lanes that are folded in one order on every ISA. */
static inline void softmax_exp_wide(const float *restrict x, float *restrict y,
                                    int64_t classes, float *most, float *sum) {
    float largest = x[0], lane[SOFTMAX_LANES] = {0};
#pragma omp simd reduction(max : largest)
    for (int64_t c = 0; c < classes; c++) largest = x[c] > largest ? x[c] : largest;
    int64_t c = 0;
    for (; c + SOFTMAX_LANES <= classes; c += SOFTMAX_LANES) {
#pragma omp simd
        for (int l = 0; l < SOFTMAX_LANES; l++) {
            float e = vmath_exp(x[c + l] - largest);
            y[c + l] = e;
            lane[l] += e;
        }
    }
    int64_t rest = classes - c;
#pragma omp simd
    for (int64_t l = 0; l < rest; l++) {
        float e = vmath_exp(x[c + l] - largest);
        y[c + l] = e;
        lane[l] += e;
    }
    for (int half = SOFTMAX_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    *most = largest;
    *sum = lane[0];
}

static inline void softmax_exp_float(const float *restrict x, float *restrict y,
                                     int64_t rows, int64_t classes, float *restrict most,
                                     float *restrict sum) {
    if (classes < SOFTMAX_NARROW) {
        softmax_exp_narrow(x, y, rows, classes, most, sum);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        softmax_exp_wide(x + r * classes, y + r * classes, classes, most + r, sum + r);
}

static inline void softmax_exp_double(const double *restrict x, double *restrict y,
                                      int64_t rows, int64_t classes,
                                      double *restrict most, double *restrict sum) {
    for (int64_t r = 0; r < rows; r++, x += classes, y += classes) {
        double largest = x[0], total = 0;
        for (int64_t c = 1; c < classes; c++) largest = x[c] > largest ? x[c] : largest;
        for (int64_t c = 0; c < classes; c++) {
            y[c] = exp(x[c] - largest);
            total += y[c];
        }
        most[r] = largest;
        sum[r] = total;
    }
}

/* y / sum, row by row. */
#define SOFTMAX_SCALE(type)                                                              \
    static inline void softmax_scale_##type(type *restrict y, int64_t rows,              \
                                            int64_t classes, const type *restrict sum) { \
        for (int64_t r = 0; r < rows; r++) {                                             \
            type scale = 1 / sum[r], *row = y + r * classes;                             \
            _Pragma("omp simd") for (int64_t c = 0; c < classes; c++) row[c] *= scale;   \
        }                                                                                \
    }
SOFTMAX_SCALE(float)
SOFTMAX_SCALE(double)

#endif
