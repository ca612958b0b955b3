/* Backward through a sequence, slice by slice. Included once for each REAL.
 *
 * From the last step to the first: the gates give the gradients before the activations, d
 * (rows, WIDE U); a product with the transposed recurrent kernel brings them to the state
 * before, one with the transposed kernel to x. The rows [x | h before] and d of some steps
 * are kept in the caches; then a product adds them to the slice's gradients of the
 * weights. */
#ifndef CDL_KERNELS_ISA_RNN_BACKWARD_H
#define CDL_KERNELS_ISA_RNN_BACKWARD_H
#include "kernels/isa/rnn_slices.h"

/* Rows that are kept for one product with the weights' gradients, about. */
enum { KEPT_ROWS = 96 };

typedef struct Backward {
    int64_t keep;                      /* steps kept */
    int64_t to_x, to_h, slices;        /* places in scratch: packed kernels */
    int64_t in, d, dh, dc, slice_size; /* in a slice; sums lie before them at 0 */
} Backward;

static Backward backward_plan(const Rnn *r) {
    const int64_t F = r->features, U = r->units, rows = slice_rows(r);
    const int64_t depth = rnn_gates(r) * U;
    Backward b = {.keep = rows ? chunks(KEPT_ROWS, rows) : 1};
    if (b.keep > r->steps) b.keep = r->steps;
    int64_t at = 0, inside = 0;
    b.to_x = take(&at, r->want_dx ? gemm_room(F, depth, r->dtype) : 0);
    b.to_h = take(&at, gemm_room(U, depth, r->dtype));
    b.slices = at;
    take(&inside, rnn_weights(r));
    b.in = take(&inside, b.keep * rows * (F + U));
    b.d = take(&inside, b.keep * rows * rnn_wide(r) * U);
    b.dh = take(&inside, rows * U);
    b.dc = take(&inside, rows * U);
    b.slice_size = inside;
    return b;
}

static size_t backward_scratch(const Rnn *r) {
    Backward b = backward_plan(r);
    return (size_t)(b.slices + b.slice_size * rnn_slices(r)) * sizeof(REAL);
}

/* Where the columns of d begin that meet the recurrent kernel: the GRU's are h z r q, of
 * which x made the first three and the state the last. */
static int64_t recurrent_columns(const Rnn *r) {
    return r->kind == RNN_GRU ? r->units : 0;
}

/* The transposed kernels, rows in the order of d's columns. */
static void backward_pack(const Rnn *r) {
    Backward b = backward_plan(r);
    const int64_t F = r->features, U = r->units, depth = rnn_gates(r) * U;
    const int64_t turn = recurrent_columns(r); /* the GRU's h, last in the kernel */
    REAL *to_x = (REAL *)r->scratch + b.to_x, *to_h = (REAL *)r->scratch + b.to_h;
    const REAL *kernel = r->kernel;
    Gemm g = {.columns = F, .b_depth = 1, .b_column = depth, .dtype = r->dtype};
    if (r->want_dx) {
        g.depth = turn;
        g.b = kernel + depth - turn;
        gemm_pack(&g, 0, depth, to_x);
        g.depth = depth - turn;
        g.b = kernel;
        gemm_pack(&g, turn, depth, to_x);
    }
    g.columns = U;
    g.depth = depth;
    g.b = r->recurrent;
    gemm_pack(&g, 0, depth, to_h);
}

/* ---- gates ---- */

/* A row of a slice in one step. dh: of the state after it on entry; on return what comes
 * to the state before on ways that are no product. */
typedef struct BackRow {
    const REAL *saved, *cell_before, *h_before, *y, *dy; /* dy may be NULL */
    REAL *dh, *dc, *d;
} BackRow;

static Vec dh_of(const BackRow *row, int64_t j, int lanes) {
    Vec dh = lanes_load(row->dh + j, lanes);
    return row->dy ? dh + lanes_load(row->dy + j, lanes) : dh;
}

static void lstm_back(const BackRow *row, int64_t units) {
    const Vec one = vec_set(1);
    EACH_UNITS(units) {
        const REAL *saved = row->saved + j;
        Vec i = lanes_load(saved, lanes), f = lanes_load(saved + U, lanes);
        Vec candidate = lanes_load(saved + 2 * U, lanes);
        Vec o = lanes_load(saved + 3 * U, lanes);
        Vec bent = vec_tanh(lanes_load(saved + 4 * U, lanes));
        Vec before = lanes_load(row->cell_before + j, lanes);
        Vec dh = dh_of(row, j, lanes);
        Vec dc = vec_fma(dh * o, one - bent * bent, lanes_load(row->dc + j, lanes));
        REAL *d = row->d + j;
        lanes_store(d, dc * candidate * (i - i * i), lanes);
        lanes_store(d + U, dc * before * (f - f * f), lanes);
        lanes_store(d + 2 * U, dc * i * (one - candidate * candidate), lanes);
        lanes_store(d + 3 * U, dh * bent * (o - o * o), lanes);
        lanes_store(row->dc + j, dc * f, lanes);
        lanes_store(row->dh + j, (Vec){0}, lanes);
    }
}

static void gru_back(const BackRow *row, int64_t units) {
    const Vec one = vec_set(1);
    EACH_UNITS(units) {
        const REAL *saved = row->saved + j;
        Vec z = lanes_load(saved, lanes), reset = lanes_load(saved + U, lanes);
        Vec candidate = lanes_load(saved + 2 * U, lanes);
        Vec q = lanes_load(saved + 3 * U, lanes);
        Vec before = lanes_load(row->h_before + j, lanes);
        Vec dh = dh_of(row, j, lanes);
        Vec inner = dh * (one - z) * (one - candidate * candidate);
        REAL *d = row->d + j;
        lanes_store(d, inner, lanes);
        lanes_store(d + U, dh * (before - candidate) * (z - z * z), lanes);
        lanes_store(d + 2 * U, inner * q * (reset - reset * reset), lanes);
        lanes_store(d + 3 * U, inner * reset, lanes);
        lanes_store(row->dh + j, dh * z, lanes);
    }
}

static void simple_back(const BackRow *row, int64_t units, int activation) {
    const Vec one = vec_set(1);
    EACH_UNITS(units) {
        Vec y = lanes_load(row->y + j, lanes), d = dh_of(row, j, lanes);
        if (activation == RNN_RELU) d = (Vec)((VecInt)d & (VecInt)(y > (Vec){0}));
        if (activation == RNN_TANH) d *= one - y * y;
        if (activation == RNN_SIGMOID) d *= y - y * y;
        lanes_store(row->d + j, d, lanes);
        lanes_store(row->dh + j, (Vec){0}, lanes);
    }
}

/* A masked step handed the state on. */
static void masked_back(const Rnn *r, const BackRow *row) {
    memset(row->d, 0, (size_t)(rnn_wide(r) * r->units) * sizeof(REAL));
    EACH_UNITS(r->units) lanes_store(row->dh + j, dh_of(row, j, lanes), lanes);
}

/* What a slice works on. */
typedef struct Back {
    Slice slice;
    REAL *sums, *in, *d, *dh, *dc; /* in and d: of the kept steps */
} Back;

static void gates_backward(const Rnn *r, const Back *b, int64_t t, const REAL *in,
                           REAL *d) {
    const int64_t F = r->features, U = r->units, saved = rnn_saved(r) * U;
    for (int64_t k = 0; k < b->slice.rows; k++) {
        int64_t image = b->slice.first + k, place = (image * r->steps + t) * U;
        BackRow row = {.h_before = in + k * (F + U) + F,
                       .y = (const REAL *)r->y + place,
                       .dy = r->dy ? (const REAL *)r->dy + place : NULL,
                       .dh = b->dh + k * U,
                       .dc = b->dc + k * U,
                       .d = d + k * rnn_wide(r) * U};
        if (saved) row.saved = saved_at(r, b->slice, t) + k * saved;
        if (saved && t > 1) fetch(saved_at(r, b->slice, t - 2) + k * saved, saved);
        if (is_masked(r, image, t)) {
            masked_back(r, &row);
        } else if (r->kind == RNN_LSTM) {
            row.cell_before = t ? saved_at(r, b->slice, t - 1) + k * saved + 4 * U
                                : (const REAL *)r->c0 + image * U;
            lstm_back(&row, U);
        } else if (r->kind == RNN_GRU) {
            gru_back(&row, U);
        } else {
            simple_back(&row, U, r->activation);
        }
    }
}

/* ---- products ---- */

/* c += d W^T (or c = d W^T) for the rows of one step. */
static void product_back(const Rnn *r, const REAL *d, int64_t rows, int64_t packed,
                         int64_t columns, bool more, REAL *c, int64_t c_row) {
    Gemm g = {.rows = rows,
              .columns = columns,
              .depth = rnn_gates(r) * r->units,
              .a = d,
              .a_row = rnn_wide(r) * r->units,
              .a_depth = 1,
              .b = (const REAL *)r->scratch + packed,
              .packed = true,
              .more = more,
              .c = c,
              .c_row = c_row,
              .dtype = r->dtype};
    gemm_run(&g);
}

/* sums += in^T d over the rows of the kept steps: `height` columns of in from `first` on. */
static void weights_back(const Rnn *r, const Back *b, int64_t depth, int64_t first,
                         int64_t height, int64_t d_first) {
    const int64_t across = r->features + r->units, columns = rnn_gates(r) * r->units;
    Gemm g = {.rows = height,
              .columns = columns,
              .depth = depth,
              .a = b->in + first,
              .a_row = 1,
              .a_depth = across,
              .b = b->d + d_first,
              .b_depth = rnn_wide(r) * r->units,
              .b_column = 1,
              .more = true,
              .c = b->sums + first * columns,
              .c_row = columns,
              .dtype = r->dtype};
    gemm_run(&g);
}

static void sums_back(const Rnn *r, const Back *b, int64_t depth) {
    const int64_t F = r->features, wide = rnn_wide(r) * r->units;
    if (recurrent_columns(r)) {
        weights_back(r, b, depth, 0, F, 0);
        weights_back(r, b, depth, F, r->units, recurrent_columns(r));
    } else {
        weights_back(r, b, depth, 0, F + r->units, 0);
    }
    REAL *bias = b->sums + (F + r->units) * rnn_gates(r) * r->units;
    for (int64_t j = 0; j < wide; j += VW) {
        int lanes = wide - j < VW ? (int)(wide - j) : VW;
        Vec sum = lanes_load(bias + j, lanes);
        for (int64_t k = 0; k < depth; k++) sum += lanes_load(b->d + k * wide + j, lanes);
        lanes_store(bias + j, sum, lanes);
    }
}

/* ---- a slice ---- */

/* Copies x's rows and the states before step t. */
static void inputs_back(const Rnn *r, Slice s, int64_t t, REAL *in) {
    const int64_t F = r->features, U = r->units, later = t < AHEAD ? 0 : t - AHEAD;
    for (int64_t k = 0; k < s.rows; k++, in += F + U) {
        int64_t image = s.first + k;
        const REAL *x = (const REAL *)r->x + image * r->steps * F;
        const REAL *y = (const REAL *)r->y + image * r->steps * U;
        fetch(x + step_of_x(r, later) * F, F);
        fetch(y + later * U, U);
        copy(in, x + step_of_x(r, t) * F, F);
        copy(in + F, t ? y + (t - 1) * U : (const REAL *)r->h0 + image * U, U);
    }
}

static void start_back(const Rnn *r, const Back *b) {
    const int64_t n = b->slice.rows * r->units, first = b->slice.first * r->units;
    memset(b->sums, 0, (size_t)rnn_weights(r) * sizeof(REAL));
    memset(b->dh, 0, (size_t)n * sizeof(REAL));
    memset(b->dc, 0, (size_t)n * sizeof(REAL));
    if (r->dh) copy(b->dh, (const REAL *)r->dh + first, n);
    if (r->dc) copy(b->dc, (const REAL *)r->dc + first, n);
}

static void backward(const Rnn *r, int64_t number) {
    Backward plan = backward_plan(r);
    const int64_t F = r->features, U = r->units, wide = rnn_wide(r) * U;
    REAL *own = (REAL *)r->scratch + plan.slices + number * plan.slice_size;
    Back b = {slice_of(r, number), own,           own + plan.in,
              own + plan.d,        own + plan.dh, own + plan.dc};
    const int64_t rows = b.slice.rows, first = b.slice.first;
    start_back(r, &b);
    if (!rows) return;
    for (int64_t end = r->steps; end > 0; end -= plan.keep) {
        int64_t begin = end < plan.keep ? 0 : end - plan.keep;
        for (int64_t t = end - 1; t >= begin; t--) {
            REAL *in = b.in + (t - begin) * rows * (F + U);
            REAL *d = b.d + (t - begin) * rows * wide;
            inputs_back(r, b.slice, t, in);
            gates_backward(r, &b, t, in, d);
            product_back(r, d + recurrent_columns(r), rows, plan.to_h, U, true, b.dh, U);
            if (r->want_dx)
                product_back(r, d, rows, plan.to_x, F, false,
                             (REAL *)r->dx + (first * r->steps + step_of_x(r, t)) * F,
                             r->steps * F);
        }
        sums_back(r, &b, (end - begin) * rows);
    }
    copy((REAL *)r->dh0 + first * U, b.dh, rows * U);
    if (r->dc0) copy((REAL *)r->dc0 + first * U, b.dc, rows * U);
}

/* ---- the sum over the slices ---- */

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
    const int64_t columns = rnn_gates(r) * r->units, turn = recurrent_columns(r);
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
