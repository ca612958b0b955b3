/* The order in which a pass visits the rows of a data set: a permutation that is a
 * function of (seed, fit, pass) alone, so that it can be made again at any time. */
#ifndef CDL_DATA_SHUFFLE_H
#define CDL_DATA_SHUFFLE_H
#include <stdint.h>

typedef struct ShuffleKey {
    uint64_t seed;
    int64_t fit;  /* the number of the model's fit */
    int64_t pass; /* over the data within it */
} ShuffleKey;

/* rows = a permutation of 0..n-1. */
void shuffle_rows(ShuffleKey key, int64_t n, int64_t *rows);

/* The same with `batch` rows at a time: a row stays in its batch, batches stay in
 * order. */
void shuffle_within(ShuffleKey key, int64_t n, int64_t batch, int64_t *rows);

#endif
