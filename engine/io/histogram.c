#include "io/histogram.h"
#include <math.h>

#define PRAGMA(text) _Pragma(#text)

/* Elements of one bucket tend to come in a row; with one set of counters each would wait for the
 * one before. The buckets of a run of elements are found first, by a loop that vectorises. */
enum { LANES = 4, RUN = 512 };

/* x - x is 0 for finite numbers alone. What is not finite is rare, so that a run without it has
 * loops of its own. The bucket behind the last one is the greatest element's, the one behind that
 * takes what is not finite. */
#define SCAN(type)                                                                       \
    static void scan_finite_##type(const type *x, int n, Histogram *h) {                 \
        type low = x[0], high = x[0];                                                    \
        double sum = 0, squares = 0;                                                     \
        PRAGMA(omp simd reduction(min : low) reduction(max : high))                      \
        for (int i = 0; i < n; i++) {                                                    \
            low = x[i] < low ? x[i] : low;                                               \
            high = x[i] > high ? x[i] : high;                                            \
        }                                                                                \
        PRAGMA(omp simd reduction(+ : sum, squares))                                     \
        for (int i = 0; i < n; i++) {                                                    \
            double value = (double)x[i];                                                 \
            sum += value;                                                                \
            squares += value * value;                                                    \
        }                                                                                \
        h->min = h->count && h->min < (double)low ? h->min : (double)low;                \
        h->max = h->count && h->max > (double)high ? h->max : (double)high;              \
        h->sum += sum, h->sum_squares += squares, h->count += n;                         \
    }                                                                                    \
    static void scan_##type(const type *x, int64_t n, Histogram *h) {                    \
        for (int64_t first = 0; first < n; first += RUN) {                               \
            int length = n - first < RUN ? (int)(n - first) : RUN, odd = 0;              \
            const type *run = x + first;                                                 \
            PRAGMA(omp simd reduction(+ : odd))                                          \
            for (int i = 0; i < length; i++) odd += !(run[i] - run[i] == 0);             \
            for (int i = 0; odd && i < length; i++)                                      \
                if (run[i] - run[i] == 0) scan_finite_##type(run + i, 1, h);             \
            if (!odd) scan_finite_##type(run, length, h);                                \
            h->dropped += odd;                                                           \
        }                                                                                \
    }                                                                                    \
    static void fill_##type(const type *x, int64_t n, Histogram *h) {                    \
        int64_t in[LANES][HISTOGRAM_MAX + 2] = {{0}};                                    \
        int32_t bucket[RUN];                                                             \
        int buckets = h->buckets;                                                        \
        /* Halves, so that the range of any two numbers is one. */                       \
        double half = h->min / 2, range = h->max / 2 - half;                             \
        double scale = range > 0 ? buckets / range : 0, least = h->min;                  \
        for (int64_t first = 0; first < n; first += RUN) {                               \
            int length = n - first < RUN ? (int)(n - first) : RUN;                       \
            const type *run = x + first;                                                 \
            PRAGMA(omp simd)                                                             \
            for (int i = 0; i < length; i++) {                                           \
                int finite = run[i] - run[i] == 0;                                       \
                double value = finite ? (double)run[i] : least;                          \
                int32_t at = (int32_t)((value / 2 - half) * scale);                      \
                bucket[i] = finite ? at : buckets + 1;                                   \
            }                                                                            \
            for (int i = 0; i < length; i++) in[i % LANES][bucket[i]]++;                 \
        }                                                                                \
        for (int k = 0; k <= buckets; k++)                                               \
            h->in[k < buckets ? k : k - 1] += in[0][k] + in[1][k] + in[2][k] + in[3][k]; \
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
