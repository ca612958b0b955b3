/* The distribution of a tensor's elements: buckets of equal width from the least to the greatest
 * finite one. NaN and infinite elements are left out and counted. */
#ifndef CDL_IO_HISTOGRAM_H
#define CDL_IO_HISTOGRAM_H
#include "tensor/tensor.h"

enum { HISTOGRAM_MAX = 1000 };

typedef struct Histogram {
    double min, max, sum, sum_squares; /* 0 when there are no finite elements */
    int64_t count, dropped;            /* finite elements, others */
    int buckets;
    int64_t
        in[HISTOGRAM_MAX]; /* elements in each bucket; the last one holds the greatest */
} Histogram;

/* buckets: 1 to HISTOGRAM_MAX. Fails only when memory runs out. */
bool histogram_of(const Tensor *tensor, int buckets, Histogram *out, Err *err);

/* Where bucket number k, from 0, ends. */
double histogram_edge(const Histogram *histogram, int k);

#endif
