/* Slices of the batch, and the memory of their own in a call's scratch. Included once for
 * each REAL. */
#ifndef CDL_KERNELS_ISA_RNN_SLICES_H
#define CDL_KERNELS_ISA_RNN_SLICES_H
#include <string.h>
#include "kernels/isa/gemm.h"
#include "kernels/isa/rnn.h"
#include "kernels/isa/rnn_math.h"

typedef struct Slice {
    int64_t first, rows; /* of the batch */
} Slice;

static Slice slice_of(const Rnn *r, int64_t number) {
    int64_t slices = rnn_slices(r), first = r->batch * number / slices;
    return (Slice){first, r->batch * (number + 1) / slices - first};
}

/* Rows of the largest slice. */
static int64_t slice_rows(const Rnn *r) { return chunks(r->batch, rnn_slices(r)); }

/* The next n elements of scratch, aligned, from element *at on. */
static int64_t take(int64_t *at, int64_t n) {
    const int64_t line = 64 / (int64_t)sizeof(REAL);
    int64_t begin = *at;
    *at += chunks(n, line) * line;
    return begin;
}

/* The step of x that is processed as number t. */
static int64_t step_of_x(const Rnn *r, int64_t t) {
    return r->reverse ? r->steps - 1 - t : t;
}

static bool is_masked(const Rnn *r, int64_t row, int64_t t) {
    return r->mask && ((const REAL *)r->mask)[row * r->steps + step_of_x(r, t)] == 0;
}

static void copy(REAL *restrict to, const REAL *restrict from, int64_t n) {
    for (int64_t j = 0; j < n; j += VW) {
        int lanes = n - j < VW ? (int)(n - j) : VW;
        lanes_store(to + j, lanes_load(from + j, lanes), lanes);
    }
}

static void multiply(REAL *restrict to, const REAL *restrict a, const REAL *restrict b,
                     int64_t n) {
    for (int64_t j = 0; j < n; j += VW) {
        int lanes = n - j < VW ? (int)(n - j) : VW;
        lanes_store(to + j, lanes_load(a + j, lanes) * lanes_load(b + j, lanes), lanes);
    }
}

/* A row of x and of h as each gate sees them; copies lie `rows` rows apart. */
static void copy_dropped(const Rnn *r, const REAL *x, const REAL *h, int64_t image,
                         int64_t rows, REAL *to) {
    const int64_t F = r->features, U = r->units, gates = rnn_gates(r);
    for (int64_t k = 0; k < gates; k++, to += rows * (F + U)) {
        int64_t place = k * r->batch + image;
        multiply(to, x, (const REAL *)r->drop_x + place * F, F);
        multiply(to + F, h, (const REAL *)r->drop_h + place * U, U);
    }
}

/* Brings the lines of n elements near: what the next steps need lies far from what this
 * one does, in as many places as there are rows. */
INLINE void fetch(const REAL *from, int64_t n) {
    for (int64_t j = 0; j < n; j += 64 / (int64_t)sizeof(REAL))
        __builtin_prefetch(from + j);
}

/* Steps from the use of a row of x to its fetching. */
enum { AHEAD = 4 };

/* What the units saved in step t of a slice: rows of rnn_saved(r) U. The last step comes
 * first, so that the way back reads on and on. */
static REAL *saved_at(const Rnn *r, Slice s, int64_t t) {
    int64_t before = s.first * r->steps + (r->steps - 1 - t) * s.rows;
    return (REAL *)r->saved + before * rnn_saved(r) * r->units;
}

/* For j, lanes in vectors over the units: the body of a gate computation. */
#define EACH_UNITS(units)                                                                \
    for (int64_t j = 0, U = (units); j < U; j += VW)                                     \
        for (int lanes = U - j < VW ? (int)(U - j) : VW, once = 1; once; once = 0)

#endif
