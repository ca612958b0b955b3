/* Forward through a sequence, slice by slice. Included once for each REAL.
 *
 * Step by step: x's rows are copied before the states, so that [x | h] is one matrix; a
 * product with the packed weights gives what stands before the activations; the gates turn
 * it into the new states. All of it stays in the caches. */
#ifndef CDL_KERNELS_ISA_RNN_FORWARD_H
#define CDL_KERNELS_ISA_RNN_FORWARD_H
#include "kernels/isa/rnn_slices.h"

enum { BLOCKS = 4 };

/* Columns of the kernels whose products stand side by side: gates from `gate` on. */
typedef struct Block {
    int gate, gates, to; /* gates of the kernels, place among the wide columns */
    bool from_x, from_h;
    int copy;       /* of x and h, which is read */
    int64_t packed; /* place in scratch */
} Block;

typedef struct Forward {
    int n_blocks;
    Block block[BLOCKS];
    int64_t bias, slices; /* places in scratch; WIDE U sums of biases */
    /* In a slice: copies of [x | h] (rows, F + U); before the activations (rows, WIDE U);
     * cells and, where states are dropped, h before that (rows, U). */
    int64_t in, wide, cell, state, slice_size;
} Forward;

/* What a slice's steps work on. */
typedef struct Gates {
    Slice slice;
    REAL *h, *wide, *cell; /* rows of h_row, WIDE U and U */
    int64_t h_row;
} Gates;

/* All gates at once; one after the other where each has a copy of x and h of its own. The
 * GRU's candidate keeps apart what comes from x and from h. */
static void plan_blocks(const Rnn *r, Forward *f) {
    const int gates = (int)rnn_gates(r), joint = r->kind == RNN_GRU ? 2 : gates;
    for (int gate = 0; gate < joint;) {
        int count = r->drops ? 1 : joint, copy = r->drops ? gate : 0;
        f->block[f->n_blocks++] = (Block){gate, count, gate, true, true, copy, 0};
        gate += count;
    }
    if (r->kind != RNN_GRU) return;
    int copy = r->drops ? 2 : 0;
    f->block[f->n_blocks++] = (Block){2, 1, 2, true, false, copy, 0};
    f->block[f->n_blocks++] = (Block){2, 1, 3, false, true, copy, 0};
}

static Forward forward_plan(const Rnn *r) {
    Forward f = {0};
    plan_blocks(r, &f);
    int64_t at = 0, inside = 0, rows = slice_rows(r);
    for (int k = 0; k < f.n_blocks; k++) {
        Block *b = &f.block[k];
        int64_t depth = (b->from_x ? r->features : 0) + (b->from_h ? r->units : 0);
        b->packed = take(&at, gemm_room(b->gates * r->units, depth, r->dtype));
    }
    f.bias = take(&at, rnn_wide(r) * r->units);
    f.slices = at;
    f.in = take(&inside, rnn_copies(r) * rows * (r->features + r->units));
    f.wide = take(&inside, rows * rnn_wide(r) * r->units);
    f.cell = take(&inside, r->kind == RNN_LSTM ? rows * r->units : 0);
    f.state = take(&inside, r->drops ? rows * r->units : 0);
    f.slice_size = inside;
    return f;
}

static size_t forward_scratch(const Rnn *r) {
    Forward f = forward_plan(r);
    return (size_t)(f.slices + f.slice_size * rnn_slices(r)) * sizeof(REAL);
}

/* ---- packing ---- */

/* The columns of both kernels, one above the other where x and h are multiplied at once. */
static void pack_block_of(const Rnn *r, const Block *b, REAL *to) {
    const int64_t F = b->from_x ? r->features : 0, U = b->from_h ? r->units : 0;
    Gemm g = {.columns = b->gates * r->units,
              .depth = F,
              .b = (const REAL *)r->kernel + b->gate * r->units,
              .b_depth = rnn_gates(r) * r->units,
              .b_column = 1,
              .dtype = r->dtype};
    gemm_pack(&g, 0, F + U, to);
    g.depth = U;
    g.b = (const REAL *)r->recurrent + b->gate * r->units;
    gemm_pack(&g, F, F + U, to);
}

static void pack_bias(const Rnn *r, REAL *to) {
    const REAL *bias = r->bias;
    const int64_t n = rnn_gates(r) * r->units, both = 2 * r->units;
    copy(to, bias, n);
    if (r->kind != RNN_GRU) return;
    for (int64_t k = 0; k < both; k++) to[k] += bias[n + k];
    copy(to + n, bias + n + both, r->units);
}

static void forward_pack(const Rnn *r) {
    Forward f = forward_plan(r);
    REAL *scratch = r->scratch;
    for (int k = 0; k < f.n_blocks; k++)
        pack_block_of(r, &f.block[k], scratch + f.block[k].packed);
    pack_bias(r, scratch + f.bias);
}

/* ---- gates ---- */

/* Row `row` of a slice in step t: pointers that the three kinds share. */
typedef struct Row {
    const REAL *wide;
    REAL *h, *y, *saved; /* saved may be NULL */
    REAL *cell;
    bool masked;
} Row;

static Row row_of(const Rnn *r, const Gates *g, int64_t t, int64_t row) {
    int64_t U = r->units, image = g->slice.first + row;
    return (Row){
        .wide = g->wide + row * rnn_wide(r) * U,
        .h = g->h + row * g->h_row,
        .y = (REAL *)r->y + (image * r->steps + t) * U,
        .saved = r->saved ? saved_at(r, g->slice, t) + row * rnn_saved(r) * U : NULL,
        .cell = g->cell + row * U,
        .masked = is_masked(r, image, t),
    };
}

/* A masked step repeats the state, and saves zeros in place of its gates. */
static void repeat(const Rnn *r, const Row *row) {
    copy(row->y, row->h, r->units);
    if (!row->saved) return;
    memset(row->saved, 0, (size_t)(rnn_saved(r) * r->units) * sizeof(REAL));
    if (r->kind == RNN_LSTM) copy(row->saved + 4 * r->units, row->cell, r->units);
}

static void lstm_row(const Row *row, int64_t units) {
    EACH_UNITS(units) {
        const REAL *wide = row->wide + j;
        Vec i = vec_sigmoid(lanes_load(wide, lanes));
        Vec f = vec_sigmoid(lanes_load(wide + U, lanes));
        Vec candidate = vec_tanh(lanes_load(wide + 2 * U, lanes));
        Vec o = vec_sigmoid(lanes_load(wide + 3 * U, lanes));
        Vec cell = vec_fma(f, lanes_load(row->cell + j, lanes), i * candidate);
        Vec h = o * vec_tanh(cell);
        lanes_store(row->cell + j, cell, lanes);
        lanes_store(row->h + j, h, lanes);
        lanes_store(row->y + j, h, lanes);
        if (!row->saved) continue;
        REAL *saved = row->saved + j;
        lanes_store(saved, i, lanes);
        lanes_store(saved + U, f, lanes);
        lanes_store(saved + 2 * U, candidate, lanes);
        lanes_store(saved + 3 * U, o, lanes);
        lanes_store(saved + 4 * U, cell, lanes);
    }
}

static void gru_row(const Row *row, int64_t units) {
    EACH_UNITS(units) {
        const REAL *wide = row->wide + j;
        Vec z = vec_sigmoid(lanes_load(wide, lanes));
        Vec reset = vec_sigmoid(lanes_load(wide + U, lanes));
        Vec q = lanes_load(wide + 3 * U, lanes);
        Vec candidate = vec_tanh(vec_fma(reset, q, lanes_load(wide + 2 * U, lanes)));
        Vec before = lanes_load(row->h + j, lanes);
        Vec h = vec_fma(z, before - candidate, candidate);
        lanes_store(row->h + j, h, lanes);
        lanes_store(row->y + j, h, lanes);
        if (!row->saved) continue;
        REAL *saved = row->saved + j;
        lanes_store(saved, z, lanes);
        lanes_store(saved + U, reset, lanes);
        lanes_store(saved + 2 * U, candidate, lanes);
        lanes_store(saved + 3 * U, q, lanes);
    }
}

static void simple_row(const Row *row, int64_t units, int activation) {
    EACH_UNITS(units) {
        Vec h = lanes_load(row->wide + j, lanes);
        if (activation == RNN_RELU) h = vec_relu(h);
        if (activation == RNN_TANH) h = vec_tanh(h);
        if (activation == RNN_SIGMOID) h = vec_sigmoid(h);
        lanes_store(row->h + j, h, lanes);
        lanes_store(row->y + j, h, lanes);
    }
}

static void gates_forward(const Rnn *r, const Gates *g, int64_t t) {
    for (int64_t k = 0; k < g->slice.rows; k++) {
        Row row = row_of(r, g, t, k);
        if (row.masked)
            repeat(r, &row);
        else if (r->kind == RNN_LSTM)
            lstm_row(&row, r->units);
        else if (r->kind == RNN_GRU)
            gru_row(&row, r->units);
        else
            simple_row(&row, r->units, r->activation);
    }
}

/* ---- a slice ---- */

static void products_forward(const Rnn *r, const Forward *f, const REAL *in, REAL *wide,
                             int64_t rows) {
    const REAL *scratch = r->scratch;
    const int64_t U = r->units;
    for (int k = 0; k < f->n_blocks; k++) {
        const Block *b = &f->block[k];
        Gemm g = {.rows = rows,
                  .columns = b->gates * U,
                  .depth = (b->from_x ? r->features : 0) + (b->from_h ? U : 0),
                  .a = in + b->copy * rows * (r->features + U) +
                       (b->from_x ? 0 : r->features),
                  .a_row = r->features + U,
                  .a_depth = 1,
                  .b = scratch + b->packed,
                  .packed = true,
                  .c = wide + b->to * U,
                  .c_row = rnn_wide(r) * U,
                  .bias = scratch + f->bias + b->to * U,
                  .dtype = r->dtype};
        gemm_run(&g);
    }
}

/* Copies x's rows of step t, and h's where each gate sees it in its own way. */
static void inputs_forward(const Rnn *r, const Gates *g, int64_t t, REAL *in) {
    const int64_t F = r->features, U = r->units, rows = g->slice.rows;
    const int64_t later = t + AHEAD < r->steps ? t + AHEAD : r->steps - 1;
    for (int64_t k = 0; k < rows; k++) {
        int64_t image = g->slice.first + k;
        const REAL *x = (const REAL *)r->x + image * r->steps * F;
        fetch(x + step_of_x(r, later) * F, F);
        x += step_of_x(r, t) * F;
        if (r->drops)
            copy_dropped(r, x, g->h + k * U, image, rows, in + k * (F + U));
        else
            copy(in + k * (F + U), x, F);
    }
}

static void forward(const Rnn *r, int64_t number) {
    Forward f = forward_plan(r);
    const int64_t F = r->features, U = r->units;
    REAL *own = (REAL *)r->scratch + f.slices + number * f.slice_size;
    REAL *in = own + f.in;
    Gates g = {slice_of(r, number), in + F, own + f.wide, own + f.cell, F + U};
    if (r->drops) g.h = own + f.state, g.h_row = U;
    if (!g.slice.rows) return;
    for (int64_t k = 0; k < g.slice.rows; k++) {
        int64_t image = g.slice.first + k;
        copy(g.h + k * g.h_row, (const REAL *)r->h0 + image * U, U);
        if (r->c0) copy(g.cell + k * U, (const REAL *)r->c0 + image * U, U);
    }
    for (int64_t t = 0; t < r->steps; t++) {
        inputs_forward(r, &g, t, in);
        products_forward(r, &f, in, g.wide, g.slice.rows);
        gates_forward(r, &g, t);
    }
    for (int64_t k = 0; k < g.slice.rows; k++) {
        int64_t image = g.slice.first + k;
        copy((REAL *)r->h + image * U, g.h + k * g.h_row, U);
        if (r->c) copy((REAL *)r->c + image * U, g.cell + k * U, U);
    }
}

#endif
