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
    int64_t keep;               /* steps kept */
    int64_t to_x, to_h, slices; /* places in scratch: packed kernels */
    int64_t x_size, h_size;     /* of a group's packed kernels */
    /* In a slice; sums lie before them at 0. part: what one gate gives where states are
     * dropped. */
    int64_t in, d, dh, dc, part, slice_size;
} Backward;

/* Gates whose products are taken together: all, or one where each has a copy of x and h
 * of its own. There are rnn_copies(r) groups. The columns of d that meet the kernel and the
 * recurrent kernel begin at x_first and h_first: the GRU's d has h z r q, of which x made
 * the first three and the state the last. */
typedef struct Group {
    int64_t number, gates, x_first, h_first;
} Group;

static Group group_of(const Rnn *r, int64_t number) {
    const int64_t U = r->units, gates = rnn_gates(r);
    const bool gru = r->kind == RNN_GRU;
    if (!r->drops) return (Group){0, gates, 0, gru ? U : 0};
    int64_t turned = gru ? (number + 1) % 3 : number;
    return (Group){number, 1, turned * U, (gru ? number + 1 : number) * U};
}

static Backward backward_plan(const Rnn *r) {
    const int64_t F = r->features, U = r->units, rows = slice_rows(r);
    const int64_t depth = group_of(r, 0).gates * U, copies = rnn_copies(r);
    Backward b = {.keep = rows ? chunks(KEPT_ROWS, rows) : 1};
    if (b.keep > r->steps) b.keep = r->steps;
    int64_t at = 0, inside = 0;
    b.x_size = r->want_dx ? gemm_room(F, depth, r->dtype) : 0;
    b.h_size = gemm_room(U, depth, r->dtype);
    b.to_x = take(&at, copies * b.x_size);
    b.to_h = take(&at, copies * b.h_size);
    b.slices = at;
    take(&inside, rnn_weights(r));
    b.in = take(&inside, copies * b.keep * rows * (F + U));
    b.d = take(&inside, b.keep * rows * rnn_wide(r) * U);
    b.dh = take(&inside, rows * U);
    b.dc = take(&inside, rows * U);
    b.part = take(&inside, r->drops ? rows * (F > U ? F : U) : 0);
    b.slice_size = inside;
    return b;
}

static size_t backward_scratch(const Rnn *r) {
    Backward b = backward_plan(r);
    return (size_t)(b.slices + b.slice_size * rnn_slices(r)) * sizeof(REAL);
}

/* Where the GRU's h, first in d, ends: the kernel has it last. */
static int64_t turned_columns(const Rnn *r) { return r->kind == RNN_GRU ? r->units : 0; }

/* The transposed kernels of a group, rows in the order of d's columns. */
static void pack_group(const Rnn *r, Group group, REAL *to_x, REAL *to_h) {
    const int64_t U = r->units, all = rnn_gates(r) * U, depth = group.gates * U;
    const int64_t turn = r->drops ? 0 : turned_columns(r), first = group.number * U;
    Gemm g = {.columns = r->features, .b_depth = 1, .b_column = all, .dtype = r->dtype};
    if (r->want_dx) {
        g.depth = turn;
        g.b = (const REAL *)r->kernel + all - turn;
        gemm_pack(&g, 0, depth, to_x);
        g.depth = depth - turn;
        g.b = (const REAL *)r->kernel + first;
        gemm_pack(&g, turn, depth, to_x);
    }
    g.columns = U;
    g.depth = depth;
    g.b = (const REAL *)r->recurrent + first;
    gemm_pack(&g, 0, depth, to_h);
}

static void backward_pack(const Rnn *r) {
    Backward b = backward_plan(r);
    REAL *scratch = r->scratch;
    for (int64_t k = 0; k < rnn_copies(r); k++)
        pack_group(r, group_of(r, k), scratch + b.to_x + k * b.x_size,
                   scratch + b.to_h + k * b.h_size);
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
    REAL *sums, *in, *d, *dh, *dc, *part; /* in and d: of the kept steps */
} Back;

/* The state before step t. */
static const REAL *state_before(const Rnn *r, int64_t image, int64_t t) {
    return t ? (const REAL *)r->y + (image * r->steps + t - 1) * r->units
             : (const REAL *)r->h0 + image * r->units;
}

static void gates_backward(const Rnn *r, const Back *b, int64_t t, REAL *d) {
    const int64_t U = r->units, saved = rnn_saved(r) * U;
    for (int64_t k = 0; k < b->slice.rows; k++) {
        int64_t image = b->slice.first + k, place = (image * r->steps + t) * U;
        BackRow row = {.h_before = state_before(r, image, t),
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

/* c += d W^T (or c = d W^T) for the rows of one step: d's columns of a group and a packed
 * kernel. */
static void product_back(const Rnn *r, const REAL *d, int64_t gates, int64_t rows,
                         const REAL *packed, int64_t columns, bool more, REAL *c,
                         int64_t c_row) {
    Gemm g = {.rows = rows,
              .columns = columns,
              .depth = gates * r->units,
              .a = d,
              .a_row = rnn_wide(r) * r->units,
              .a_depth = 1,
              .b = packed,
              .packed = true,
              .more = more,
              .c = c,
              .c_row = c_row,
              .dtype = r->dtype};
    gemm_run(&g);
}

/* The same through a gate's factors (B, columns), which the result passes once more. */
static void product_dropped(const Rnn *r, const Back *b, const REAL *d,
                            const REAL *packed, int64_t columns, const REAL *factors,
                            bool more, REAL *c, int64_t c_row) {
    product_back(r, d, 1, b->slice.rows, packed, columns, false, b->part, columns);
    factors += b->slice.first * columns;
    for (int64_t k = 0; k < b->slice.rows; k++)
        for (int64_t j = 0; j < columns; j += VW) {
            int lanes = columns - j < VW ? (int)(columns - j) : VW;
            Vec sum = more ? lanes_load(c + k * c_row + j, lanes) : (Vec){0};
            Vec part = lanes_load(b->part + k * columns + j, lanes);
            Vec factor = lanes_load(factors + k * columns + j, lanes);
            lanes_store(c + k * c_row + j, vec_fma(part, factor, sum), lanes);
        }
}

/* From the gradients before the activations of step t to the state before and to x. */
static void products_back(const Rnn *r, const Backward *plan, const Back *b, int64_t t,
                          const REAL *d) {
    const int64_t F = r->features, U = r->units, rows = b->slice.rows;
    REAL *dx = NULL;
    if (r->want_dx)
        dx = (REAL *)r->dx + (b->slice.first * r->steps + step_of_x(r, t)) * F;
    for (int64_t k = 0; k < rnn_copies(r); k++) {
        Group group = group_of(r, k);
        const REAL *to_x = (const REAL *)r->scratch + plan->to_x + k * plan->x_size;
        const REAL *to_h = (const REAL *)r->scratch + plan->to_h + k * plan->h_size;
        const REAL *dx_of = d + group.x_first, *dh_of_group = d + group.h_first;
        if (r->drops) {
            const REAL *drop_x = (const REAL *)r->drop_x + k * r->batch * F;
            const REAL *drop_h = (const REAL *)r->drop_h + k * r->batch * U;
            product_dropped(r, b, dh_of_group, to_h, U, drop_h, true, b->dh, U);
            if (r->want_dx)
                product_dropped(r, b, dx_of, to_x, F, drop_x, k > 0, dx, r->steps * F);
            continue;
        }
        product_back(r, dh_of_group, group.gates, rows, to_h, U, true, b->dh, U);
        if (r->want_dx)
            product_back(r, dx_of, group.gates, rows, to_x, F, false, dx, r->steps * F);
    }
}

/* sums += in^T d over `depth` rows of the kept steps: `height` columns of a copy of in
 * from `first` on; columns of d from d_first on, which are the kernels' from `to` on. */
static void weights_back(const Rnn *r, const Back *b, const REAL *in, int64_t depth,
                         int64_t first, int64_t height, int64_t gates, int64_t d_first,
                         int64_t to) {
    const int64_t across = r->features + r->units, all = rnn_gates(r) * r->units;
    Gemm g = {.rows = height,
              .columns = gates * r->units,
              .depth = depth,
              .a = in + first,
              .a_row = 1,
              .a_depth = across,
              .b = b->d + d_first,
              .b_depth = rnn_wide(r) * r->units,
              .b_column = 1,
              .more = true,
              .c = b->sums + first * all + to,
              .c_row = all,
              .dtype = r->dtype};
    gemm_run(&g);
}

/* The kept steps' part of the weights' gradients. The kernel's stands in the order of d. */
static void sums_back(const Rnn *r, const Backward *plan, const Back *b, int64_t steps) {
    const int64_t F = r->features, U = r->units, wide = rnn_wide(r) * U;
    const int64_t depth = steps * b->slice.rows;
    for (int64_t k = 0; k < rnn_copies(r); k++) {
        Group g = group_of(r, k);
        const REAL *in = b->in + k * plan->keep * b->slice.rows * (F + U);
        if (r->kind != RNN_GRU) {
            weights_back(r, b, in, depth, 0, F + U, g.gates, g.x_first, g.x_first);
        } else {
            weights_back(r, b, in, depth, 0, F, g.gates, g.x_first, g.x_first);
            weights_back(r, b, in, depth, F, U, g.gates, g.h_first, g.number * U);
        }
    }
    REAL *bias = b->sums + (F + U) * rnn_gates(r) * U;
    for (int64_t j = 0; j < wide; j += VW) {
        int lanes = wide - j < VW ? (int)(wide - j) : VW;
        Vec sum = lanes_load(bias + j, lanes);
        for (int64_t k = 0; k < depth; k++) sum += lanes_load(b->d + k * wide + j, lanes);
        lanes_store(bias + j, sum, lanes);
    }
}

/* ---- a slice ---- */

/* Copies x's rows and the states before step t; copies for gates lie `apart` rows apart. */
static void inputs_back(const Rnn *r, Slice s, int64_t t, int64_t apart, REAL *in) {
    const int64_t F = r->features, U = r->units, later = t < AHEAD ? 0 : t - AHEAD;
    for (int64_t k = 0; k < s.rows; k++, in += F + U) {
        int64_t image = s.first + k;
        const REAL *x = (const REAL *)r->x + image * r->steps * F;
        fetch(x + step_of_x(r, later) * F, F);
        fetch((const REAL *)r->y + (image * r->steps + later) * U, U);
        x += step_of_x(r, t) * F;
        if (r->drops) {
            copy_dropped(r, x, state_before(r, image, t), image, apart, in);
            continue;
        }
        copy(in, x, F);
        copy(in + F, state_before(r, image, t), U);
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
    Back b = {slice_of(r, number), own,           own + plan.in,  own + plan.d,
              own + plan.dh,       own + plan.dc, own + plan.part};
    const int64_t rows = b.slice.rows, first = b.slice.first;
    start_back(r, &b);
    if (!rows) return;
    for (int64_t end = r->steps; end > 0; end -= plan.keep) {
        int64_t begin = end < plan.keep ? 0 : end - plan.keep;
        for (int64_t t = end - 1; t >= begin; t--) {
            REAL *in = b.in + (t - begin) * rows * (F + U);
            REAL *d = b.d + (t - begin) * rows * wide;
            inputs_back(r, b.slice, t, plan.keep * rows, in);
            gates_backward(r, &b, t, d);
            products_back(r, &plan, &b, t, d);
        }
        sums_back(r, &plan, &b, end - begin);
    }
    copy((REAL *)r->dh0 + first * U, b.dh, rows * U);
    if (r->dc0) copy((REAL *)r->dc0 + first * U, b.dc, rows * U);
}

#endif
