/* The gradients of the weights: the sums over the slices, in their order. Included once for
 * each REAL. */
#ifndef CDL_KERNELS_ISA_RNN_SUM_H
#define CDL_KERNELS_ISA_RNN_SUM_H
#include "kernels/isa/rnn_backward.h"

/* to[j] = the sum of the slices' element `from` + j, for n elements. */
static void sum_row(const Rnn *r, const Backward *b, REAL *to, int64_t from, int64_t n) {
    const REAL *sums = (const REAL *)r->scratch + b->slices + from;
    const int64_t slices = rnn_slices(r);
    for (int64_t j = 0; j < n; j++) {
        REAL total = 0;
        for (int64_t s = 0; s < slices; s++) total += sums[s * b->slice_size + j];
        to[j] = total;
    }
}

/* A row of the kernel's gradient from columns in d's order: the GRU's h comes first there
 * and last here. */
static void sum_kernel(const Rnn *r, const Backward *b, REAL *to, int64_t from) {
    const int64_t columns = rnn_gates(r) * r->units, turn = turned_columns(r);
    sum_row(r, b, to, from + turn, columns - turn);
    sum_row(r, b, to + columns - turn, from, turn);
}

static void sum(const Rnn *r, int64_t part) {
    Backward b = backward_plan(r);
    const int64_t F = r->features, columns = rnn_gates(r) * r->units;
    const int64_t from = part * columns;
    if (part < F) {
        sum_kernel(r, &b, (REAL *)r->dkernel + from, from);
    } else if (part < F + r->units) {
        sum_row(r, &b, (REAL *)r->drecurrent + from - F * columns, from, columns);
    } else {
        sum_kernel(r, &b, r->dbias, from);
        if (r->kind == RNN_GRU)
            sum_row(r, &b, (REAL *)r->dbias + columns, from + r->units, columns);
    }
}

#endif
