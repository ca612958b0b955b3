#include "io/histogram.h"
#include <math.h>
#include <string.h>

/* Elements of one bucket tend to come in a row; with one set of counters each would wait for the
 * one before. */
enum { LANES = 4 };

/* x - x is 0 for finite numbers alone. */
#define SCAN(type)                                                                       \
    static void scan_##type(const type *x, int64_t n, Histogram *h) {                    \
        type low = (type)INFINITY, high = -(type)INFINITY;                               \
        double sum = 0, squares = 0;                                                     \
        int64_t count = 0;                                                               \
        _Pragma(                                                                         \
            "omp simd reduction(min : low) reduction(max : high)                     \
                 reduction(+ : sum, squares, count)") for (int64_t i = 0; i < n; i++) {  \
            int finite = x[i] - x[i] == 0;                                               \
            double value = finite ? (double)x[i] : 0;                                    \
            low = finite && x[i] < low ? x[i] : low;                                     \
            high = finite && x[i] > high ? x[i] : high;                                  \
            sum += value;                                                                \
            squares += value * value;                                                    \
            count += finite;                                                             \
        }                                                                                \
        h->count = count, h->dropped = n - count;                                        \
        h->sum = sum, h->sum_squares = squares;                                          \
        if (count) h->min = (double)low, h->max = (double)high;                          \
    }                                                                                    \
    static void fill_##type(const type *x, int64_t n, Histogram *h) {                    \
        int64_t in[LANES][HISTOGRAM_MAX + 1];                                            \
        int last = h->buckets - 1;                                                       \
        /* Halves, so that the range of any two numbers is one. */                       \
        double half = h->min / 2, range = h->max / 2 - half;                             \
        double scale = range > 0 ? h->buckets / range : 0;                               \
        memset(in, 0, sizeof in);                                                        \
        for (int64_t i = 0; i < n; i++) {                                                \
            double at = ((double)x[i] / 2 - half) * scale;                               \
            /* What is not finite goes behind the last bucket. */                        \
            int k = x[i] - x[i] == 0 ? (at < last ? (int)at : last) : last + 1;          \
            in[i % LANES][k]++;                                                          \
        }                                                                                \
        for (int k = 0; k <= last; k++)                                                  \
            h->in[k] = in[0][k] + in[1][k] + in[2][k] + in[3][k];                        \
    }

SCAN(float)
SCAN(double)

bool histogram_of(const Tensor *tensor, int buckets, Histogram *out, Err *err) {
    Tensor values = {0};
    bool narrow = tensor->dtype == DTYPE_FLOAT32;
    if (narrow || tensor->dtype == DTYPE_FLOAT64) {
        if (!tensor_contiguous(tensor, &values, err)) return false;
    } else if (!tensor_cast(tensor, DTYPE_FLOAT64, &values, err)) {
        return false;
    }
    int64_t n = tensor_size(&values);
    *out = (Histogram){.buckets = buckets};
    if (narrow) {
        scan_float((const float *)values.data, n, out);
        if (out->count) fill_float((const float *)values.data, n, out);
    } else {
        scan_double((const double *)values.data, n, out);
        if (out->count) fill_double((const double *)values.data, n, out);
    }
    tensor_release(&values);
    return true;
}

double histogram_edge(const Histogram *h, int k) {
    if (k == h->buckets - 1) return h->max;
    double part = (double)(k + 1) / h->buckets;
    return h->min * (1 - part) + h->max * part;
}
