/* Recurrent layers of every instruction set that this CPU has against plain
 * loops in double precision, forward and backward: kinds, odd sizes, masks,
 * both directions of time; and the same bits in whatever order the parts run.
 */
#include "trial.h"

KERNEL_DECLARE(rnn);
KERNEL_DECLARE(rnn_saving);
KERNEL_DECLARE(rnn_grad);

enum { SIMPLE, GRU, LSTM };
enum { X, KERNEL_W, RECURRENT_W, BIAS, H0, C0, INPUTS };

typedef struct Problem {
    int kind, activation;
    bool reverse, masked, drops;
    int64_t batch, steps, features, units;
} Problem;

/* Everything in doubles. dx .. dc0 are the gradients of sum(y dy) + sum(h dh) +
 * sum(c dc). */
typedef struct Reference {
    const Problem *problem;
    double *in[INPUTS], *mask, *drop_x, *drop_h, *dy, *dh, *dc;
    double *y, *h, *c;
    double *gates, *cells; /* (T, B, 4 U) and (T + 1, B, U) */
    double *din[INPUTS];
} Reference;

static int64_t gates_of(const Problem *p) {
    return p->kind == LSTM ? 4 : p->kind == GRU ? 3 : 1;
}

static Shape shape_of_input(const Problem *p, int k) {
    int64_t B = p->batch, F = p->features, U = p->units, G = gates_of(p) * U;
    switch (k) {
    case X:
        return (Shape){3, {B, p->steps, F}};
    case KERNEL_W:
        return (Shape){2, {F, G}};
    case RECURRENT_W:
        return (Shape){2, {U, G}};
    case BIAS:
        return p->kind == GRU ? (Shape){2, {2, G}} : (Shape){1, {G}};
    default:
        return (Shape){2, {B, U}};
    }
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static double activate(int activation, double x) {
    return activation == 1   ? fmax(x, 0)
           : activation == 2 ? tanh(x)
           : activation == 3 ? sigmoid(x)
                             : x;
}

/* The slope of an activation, from its value. */
static double slope(int activation, double y) {
    return activation == 1   ? y > 0
           : activation == 2 ? 1 - y * y
           : activation == 3 ? y - y * y
                             : 1;
}

static int64_t step_of_x(const Problem *p, int64_t t) {
    return p->reverse ? p->steps - 1 - t : t;
}

/* The state before step t of row b: y of the step before, or h0. */
static const double *state_before(const Reference *r, int64_t b, int64_t t) {
    const Problem *p = r->problem;
    return t ? r->y + (b * p->steps + t - 1) * p->units : r->in[H0] + b * p->units;
}

static const double *x_at(const Reference *r, int64_t b, int64_t t) {
    const Problem *p = r->problem;
    return r->in[X] + (b * p->steps + step_of_x(p, t)) * p->features;
}

/* The factors through which gate column n of row b sees x and h. */
static double x_factor(const Reference *r, int64_t b, int64_t n, int64_t k) {
    const Problem *p = r->problem;
    if (!p->drops) return 1;
    return r->drop_x[(n / p->units * p->batch + b) * p->features + k];
}

static double h_factor(const Reference *r, int64_t b, int64_t n, int64_t k) {
    const Problem *p = r->problem;
    if (!p->drops) return 1;
    return r->drop_h[(n / p->units * p->batch + b) * p->units + k];
}

static bool masked_at(const Reference *r, int64_t b, int64_t t) {
    const Problem *p = r->problem;
    return p->masked && r->mask[b * p->steps + step_of_x(p, t)] == 0;
}

/* Gate column n: what comes from x and from h, each with its bias. */
static void wide(const Reference *r, int64_t b, int64_t t, int64_t n, double part[2]) {
    const Problem *p = r->problem;
    const int64_t G = gates_of(p) * p->units;
    const double *x = x_at(r, b, t), *h = state_before(r, b, t);
    part[0] = r->in[BIAS][n];
    part[1] = p->kind == GRU ? r->in[BIAS][G + n] : 0;
    for (int64_t k = 0; k < p->features; k++)
        part[0] += x_factor(r, b, n, k) * x[k] * r->in[KERNEL_W][k * G + n];
    for (int64_t k = 0; k < p->units; k++)
        part[1] += h_factor(r, b, n, k) * h[k] * r->in[RECURRENT_W][k * G + n];
}

/* One unit of one step: its gates (the GRU's fourth is q) and the new state and
 * cell. */
static void unit_forward(const Reference *r, int64_t b, int64_t t, int64_t j, double h[1],
                         double c[1], double gate[4]) {
    const Problem *p = r->problem;
    const int64_t U = p->units;
    double part[2];
    for (int k = 0; k < gates_of(p); k++) {
        wide(r, b, t, k * U + j, part);
        gate[k] = part[0] + part[1];
    }
    if (p->kind == SIMPLE) {
        *h = gate[0] = activate(p->activation, gate[0]);
    } else if (p->kind == GRU) {
        gate[0] = sigmoid(gate[0]), gate[1] = sigmoid(gate[1]);
        gate[3] = part[1];
        gate[2] = tanh(part[0] + gate[1] * part[1]);
        *h = gate[0] * state_before(r, b, t)[j] + (1 - gate[0]) * gate[2];
    } else {
        for (int k = 0; k < 4; k++) gate[k] = k == 2 ? tanh(gate[k]) : sigmoid(gate[k]);
        *c = gate[1] * *c + gate[0] * gate[2];
        *h = gate[3] * tanh(*c);
    }
}

static void reference_forward(Reference *r) {
    const Problem *p = r->problem;
    const int64_t B = p->batch, T = p->steps, U = p->units;
    for (int64_t k = 0; k < B * U; k++) r->c[k] = r->cells[k] = r->in[C0][k];
    for (int64_t b = 0; b < B; b++) {
        for (int64_t t = 0; t < T; t++) {
            for (int64_t j = 0; j < U; j++) {
                double h = state_before(r, b, t)[j], *c = &r->c[b * U + j];
                if (!masked_at(r, b, t))
                    unit_forward(r, b, t, j, &h, c, r->gates + ((t * B + b) * U + j) * 4);
                r->y[(b * T + t) * U + j] = h;
                r->cells[((t + 1) * B + b) * U + j] = *c;
            }
        }
        for (int64_t j = 0; j < U; j++) r->h[b * U + j] = state_before(r, b, T)[j];
    }
}

/* Gradients before the activations of one unit: from x (into dx, W) and from h.
 * Changes dh to what goes straight to the state before, and dc. */
static void unit_backward(const Reference *r, int64_t b, int64_t t, int64_t j, double *dh,
                          double *dc, double from_x[4], double from_h[4]) {
    const Problem *p = r->problem;
    const int64_t U = p->units, at = (t * p->batch + b) * U + j;
    const double *g = r->gates + at * 4, d = *dh;
    *dh = 0;
    if (p->kind == SIMPLE) {
        from_x[0] = from_h[0] = d * slope(p->activation, g[0]);
    } else if (p->kind == GRU) {
        double inner = d * (1 - g[0]) * slope(2, g[2]);
        from_x[0] = from_h[0] = d * (state_before(r, b, t)[j] - g[2]) * slope(3, g[0]);
        from_x[1] = from_h[1] = inner * g[3] * slope(3, g[1]);
        from_x[2] = inner;
        from_h[2] = inner * g[1];
        *dh = d * g[0];
    } else {
        double bent = tanh(r->cells[at + p->batch * U]), before = r->cells[at];
        double cell = *dc + d * g[3] * slope(2, bent);
        from_x[0] = cell * g[2] * slope(3, g[0]);
        from_x[1] = cell * before * slope(3, g[1]);
        from_x[2] = cell * g[0] * slope(2, g[2]);
        from_x[3] = d * bent * slope(3, g[3]);
        memcpy(from_h, from_x, 4 * sizeof *from_h);
        *dc = cell * g[1];
    }
}

/* Adds what one gate column gives to the gradients; dh_before is a row of its
 * own, since the units of the step still read the old one. */
static void spread(Reference *r, int64_t b, int64_t t, int64_t n, double from_x,
                   double from_h, double *dh_before) {
    const Problem *p = r->problem;
    const int64_t F = p->features, U = p->units, G = gates_of(p) * U;
    const double *x = x_at(r, b, t), *h = state_before(r, b, t);
    double *dx = r->din[X] + (b * p->steps + step_of_x(p, t)) * F;
    for (int64_t k = 0; k < F; k++) {
        double d = from_x * x_factor(r, b, n, k);
        dx[k] += d * r->in[KERNEL_W][k * G + n];
        r->din[KERNEL_W][k * G + n] += d * x[k];
    }
    for (int64_t k = 0; k < U; k++) {
        double d = from_h * h_factor(r, b, n, k);
        dh_before[k] += d * r->in[RECURRENT_W][k * G + n];
        r->din[RECURRENT_W][k * G + n] += d * h[k];
    }
    r->din[BIAS][n] += from_x;
    if (p->kind == GRU) r->din[BIAS][G + n] += from_h;
}

static void reference_backward(Reference *r) {
    const Problem *p = r->problem;
    const int64_t T = p->steps, U = p->units;
    double *before = mem_zalloc((size_t)U * sizeof *before);
    for (int64_t b = 0; b < p->batch; b++) {
        double *dh = r->din[H0] + b * U, *dc = r->din[C0] + b * U;
        for (int64_t j = 0; j < U; j++)
            dh[j] = r->dh[b * U + j], dc[j] = r->dc[b * U + j];
        for (int64_t t = T - 1; t >= 0; t--) {
            for (int64_t j = 0; j < U; j++) dh[j] += r->dy[(b * T + t) * U + j];
            if (masked_at(r, b, t)) continue;
            memset(before, 0, (size_t)U * sizeof *before);
            for (int64_t j = 0; j < U; j++) {
                double from_x[4], from_h[4];
                unit_backward(r, b, t, j, &dh[j], &dc[j], from_x, from_h);
                for (int k = 0; k < gates_of(p); k++)
                    spread(r, b, t, k * U + j, from_x[k], from_h[k], before);
            }
            for (int64_t j = 0; j < U; j++) dh[j] += before[j];
        }
    }
    mem_free(before);
}

/* ---- runs ---- */

static double *doubles(int64_t n) {
    double *all = mem_zalloc((size_t)(n + 1) * sizeof *all);
    if (!all) abort();
    return all;
}

static double *copied(const Operand *o) {
    double *copy = doubles(o->size);
    for (int64_t k = 0; k < o->size; k++) copy[k] = trial_at(o, k);
    return copy;
}

static void check_output(const Trial *t, int k, const double *want, const Problem *p,
                         const char *name) {
    const Operand *o = &t->out[k];
    double unit = o->dtype == DTYPE_FLOAT32 ? 4e-6 : 1e-13, largest = 1;
    int shown = 0;
    for (int64_t i = 0; i < o->size; i++) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < o->size; i++) {
        test_checks++;
        if (fabs(trial_at(o, i) - want[i]) <= unit * largest) continue;
        test_failures++;
        if (shown++ < 3)
            fprintf(stderr,
                    "%s kind %d, B %ld T %ld F %ld U %ld, %s: output %d element %ld is "
                    "%.9g, wanted %.9g\n",
                    name, p->kind, (long)p->batch, (long)p->steps, (long)p->features,
                    (long)p->units, dtype_name(o->dtype), k, (long)i, trial_at(o, i),
                    want[i]);
    }
}

/* Each instruction set agrees with the reference (where want[k] is given), and
 * with itself in any order. */
static void run(Trial *t, const Problem *p, const char *name,
                const Kernel *const kernels[], const double *const want[]) {
    char *memory[TRIAL_OUT];
    for (int k = 0; k < t->call.n_out; k++) {
        memory[k] = mem_alloc(trial_bytes(&t->out[k]) + TRIAL_GUARD);
        if (!memory[k]) abort();
    }
    for (int isa = 0; isa < TRIAL_ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        for (int order = 0; order < 3; order++) {
            trial_once(t, kernels[isa], order, memory);
            for (int k = 0; k < t->call.n_out; k++) {
                size_t bytes = trial_bytes(&t->out[k]);
                CHECK(trial_guarded(memory[k], bytes));
                CHECK(order == 0 || !memcmp(t->out[k].data, memory[k], bytes));
                memcpy(t->out[k].data, memory[k], bytes);
                if (order == 0 && want[k]) check_output(t, k, want[k], p, name);
            }
        }
    }
    for (int k = 0; k < t->call.n_out; k++) mem_free(memory[k]);
}

/* The inputs that both kernels have; the mask is of the same dtype. */
static void begin(Trial *t, const Problem *p, DType dtype) {
    *t = (Trial){
        .call = {.attrs = {.i = {p->kind, p->reverse, p->activation, 0, 0, p->drops}}}};
    int count = p->kind == LSTM ? 6 : 5;
    for (int k = 0; k < count; k++) {
        trial_in(t, dtype, shape_of_input(p, k));
        trial_fill(t, k, (uint64_t)k + 1, k == X ? -2 : -0.6, k == X ? 2 : 0.6);
    }
    if (p->masked) {
        Shape shape = {2, {p->batch, p->steps}};
        trial_in(t, dtype, shape);
        for (int64_t k = 0; k < shape_size(&shape); k++)
            dtype_store(dtype, (char *)t->in[count].data + (size_t)k * dtype_size(dtype),
                        (k * 7 + k / 3) % 4 != 0);
    }
    for (int k = 0; p->drops && k < 2; k++) {
        int at = t->call.n_in;
        trial_in(t, dtype,
                 (Shape){3, {gates_of(p), p->batch, k ? p->units : p->features}});
        trial_fill(t, at, (uint64_t)k + 30, 0, 1.5);
    }
}

static void reference_begin(Reference *r, const Problem *p, const Trial *t) {
    const int64_t states = p->batch * p->units;
    *r = (Reference){.problem = p};
    int count = p->kind == LSTM ? 6 : 5;
    for (int k = 0; k < INPUTS; k++) {
        Shape shape = shape_of_input(p, k);
        r->in[k] = k < count ? copied(&t->in[k]) : doubles(states);
        r->din[k] = doubles(shape_size(&shape));
    }
    if (p->masked) r->mask = copied(&t->in[count++]);
    if (p->drops)
        r->drop_x = copied(&t->in[count]), r->drop_h = copied(&t->in[count + 1]);
    r->y = doubles(states * p->steps);
    r->h = doubles(states);
    r->c = doubles(states);
    r->gates = doubles(states * p->steps * 4);
    r->cells = doubles(states * (p->steps + 1));
    reference_forward(r);
}

static void reference_end(Reference *r) {
    double *all[] = {r->mask, r->drop_x, r->drop_h, r->dy,    r->dh,   r->dc,
                     r->y,    r->h,      r->c,      r->gates, r->cells};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) mem_free(all[k]);
    for (int k = 0; k < INPUTS; k++) mem_free(r->in[k]), mem_free(r->din[k]);
}

/* Adds y, h and c to the outputs. */
static void add_outputs(Trial *t, const Problem *p, DType dtype) {
    Shape state = shape_of_input(p, H0);
    trial_out(t, dtype, (Shape){3, {p->batch, p->steps, p->units}});
    trial_out(t, dtype, state);
    trial_out(t, dtype, p->kind == LSTM ? state : (Shape){1, {0}});
}

/* The backward kernel, which is given what the forward one of the same set
 * saved. */
static void try_backward(const Problem *p, DType dtype, const Trial *forward,
                         Reference *r, int given) {
    Trial t;
    begin(&t, p, dtype);
    t.call.attrs.i[3] = given;
    t.call.attrs.i[4] = 1;
    for (int k = 0; k < 2; k++) { /* y and saved bytes */
        const Operand *from = &forward->out[k ? 3 : 0];
        memcpy(trial_in(&t, from->dtype, from->shape), from->data, trial_bytes(from));
    }
    const Shape shapes[3] = {forward->out[0].shape, shape_of_input(p, H0),
                             shape_of_input(p, H0)};
    double **into[3] = {&r->dy, &r->dh, &r->dc};
    for (int k = 0; k < 3; k++) {
        if (given >> k & 1) {
            int at = t.call.n_in;
            trial_in(&t, dtype, shapes[k]);
            trial_fill(&t, at, (uint64_t)k + 20, -1, 1);
            *into[k] = copied(&t.in[at]);
        } else {
            *into[k] = doubles(shape_size(&shapes[k]));
        }
    }
    for (int k = 0; k < INPUTS; k++)
        trial_out(&t, dtype,
                  k < C0 || p->kind == LSTM ? shape_of_input(p, k) : (Shape){1, {0}});
    reference_backward(r);
    run(&t, p, KERNELS(rnn_grad), (const double *const *)r->din);
    trial_end(&t);
}

static void try_rnn(const Problem *p, DType dtype) {
    Trial t;
    Reference r;
    begin(&t, p, dtype);
    add_outputs(&t, p, dtype);
    reference_begin(&r, p, &t);
    const double *want[] = {r.y, r.h, r.c, NULL};
    run(&t, p, KERNELS(rnn), want);
    trial_end(&t);

    begin(&t, p, dtype);
    add_outputs(&t, p, dtype);
    int64_t each = p->kind == LSTM ? 5 : p->kind == GRU ? 4 : 0;
    int64_t bytes = p->batch * p->steps * p->units * each * (int64_t)dtype_size(dtype);
    trial_out(&t, DTYPE_UINT8, (Shape){1, {bytes}});
    run(&t, p, KERNELS(rnn_saving), want);
    int given = p->kind == LSTM ? 7 : 3;
    if (p->units % 3 == 0) given &= p->units % 2 ? 1 : 6;
    try_backward(p, dtype, &t, &r, given ? given : 2);
    trial_end(&t);
    reference_end(&r);
}

/* ---- problems ---- */

/* Sizes that decide which loops run: one row, several slices, whole and partial
 * vectors and panels, steps that are kept in several pieces. */
static void chosen(void) {
    const int64_t sizes[][4] = {
        /* batch, steps, features, units */
        {1, 1, 1, 1},    {1, 7, 5, 16},   {2, 30, 3, 2},  {3, 4, 17, 33},
        {9, 5, 40, 7},   {33, 6, 16, 32}, {40, 9, 8, 24}, {300, 2, 3, 5},
        {70, 3, 70, 65}, {5, 0, 4, 3},    {0, 3, 4, 3},
    };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int kind = SIMPLE; kind <= LSTM; kind++)
            for (int dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++) {
                Problem p = {kind,        2,           k % 2 == 1,  k % 3 == 1, false,
                             sizes[k][0], sizes[k][1], sizes[k][2], sizes[k][3]};
                try_rnn(&p, (DType)dtype);
                p.drops = true;
                try_rnn(&p, (DType)dtype);
            }
}

static int64_t between(uint64_t *state, int64_t low, int64_t high) {
    return low + trial_below(state, high - low + 1);
}

static void any(void) {
    uint64_t state = 11;
    for (int k = 0; k < 60; k++) {
        Problem p = {.kind = (int)between(&state, SIMPLE, LSTM),
                     .activation = (int)between(&state, 0, 3),
                     .reverse = between(&state, 0, 1),
                     .masked = between(&state, 0, 1),
                     .drops = between(&state, 0, 2) == 0,
                     .batch = between(&state, 1, 40),
                     .steps = between(&state, 1, 12),
                     .features = between(&state, 1, 30),
                     .units = between(&state, 1, 40)};
        if (p.activation < 2) p.steps = 1 + p.steps % 3; /* relu and linear may grow */
        try_rnn(&p, k % 3 ? DTYPE_FLOAT32 : DTYPE_FLOAT64);
    }
}

TEST_MAIN(chosen, any)
