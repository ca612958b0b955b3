/* Batches of tensors that lie in memory: the rows (the first axis) of every leaf
 * belong together. Contiguous tensors are read in place and never copied; others are
 * copied once.
 *
 *     Tensor leaves[] = {x, y};
 *     TensorSourceOptions options = {.batch = 32, .shuffle = SHUFFLE_ROWS, .seed = 1};
 *     Source *source = tensor_source_new(2, leaves, options, &err); */
#ifndef CDL_DATA_TENSOR_SOURCE_H
#define CDL_DATA_TENSOR_SOURCE_H
#include "data/source.h"

typedef enum Shuffle {
    SHUFFLE_NONE,
    SHUFFLE_ROWS, /* a new order of all rows in every pass */
    SHUFFLE_BATCH /* batches in order, rows permuted within each */
} Shuffle;

/* An order of the caller's own: writes the n numbers of the rows (from 0) that the pass
 * visits; a row may come several times, or not at all. */
typedef struct RowOrder {
    bool (*fill)(void *context, int64_t pass, int64_t n, int64_t *rows, Err *err);
    void *context;
    int64_t n;
} RowOrder;

typedef struct TensorSourceOptions {
    int64_t batch; /* rows in a batch, at least 1; the last one may have fewer */
    Shuffle shuffle;
    bool drop_remainder; /* a last batch of fewer rows is left out */
    uint64_t seed; /* with the fit's number the key of the order, see data/shuffle.h */
    int64_t fit;
    RowOrder order; /* with a fill it takes the place of shuffle */
} TensorSourceOptions;

/* Leaves have at least one axis, and all the same number of rows. An order that names a
 * row that there is not is an error when the pass starts. */
Source *tensor_source_new(int n, const Tensor leaf[], TensorSourceOptions options,
                          Err *err);

#endif
