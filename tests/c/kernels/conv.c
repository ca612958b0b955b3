/* Convolutions of every instruction set that this CPU has against plain loops in double
 * precision, in all three directions: random sizes, strides, dilations, paddings and
 * groups; and the same bits in whatever order the parts run. */
#include "trial.h"

KERNEL_DECLARE(conv);
KERNEL_DECLARE(conv_bias);
KERNEL_DECLARE(conv_grad_input);
KERNEL_DECLARE(conv_grad_kernel);

typedef struct Problem {
    int axes;
    int64_t images, in, out, groups; /* channels of all groups */
    int64_t size[3], kernel[3], stride[3], dilation[3], before[3], after[3];
} Problem;

static int64_t out_size(const Problem *p, int k) {
    int64_t wide = (p->kernel[k] - 1) * p->dilation[k] + 1;
    return (p->size[k] + p->before[k] + p->after[k] - wide) / p->stride[k] + 1;
}

static Attrs attrs_of(const Problem *p) {
    Attrs a = {0};
    for (int k = 0; k < p->axes; k++) {
        a.i[k] = p->stride[k];
        a.i[3 + 2 * k] = p->before[k];
        a.i[4 + 2 * k] = p->after[k];
        a.i[9 + k] = p->dilation[k];
    }
    a.i[12] = p->groups;
    return a;
}

static Shape input_shape(const Problem *p) {
    Shape s = {.ndim = p->axes + 2, .dim = {p->images}};
    for (int k = 0; k < p->axes; k++) s.dim[1 + k] = p->size[k];
    s.dim[p->axes + 1] = p->in;
    return s;
}

static Shape kernel_shape(const Problem *p) {
    Shape s = {.ndim = p->axes + 2};
    for (int k = 0; k < p->axes; k++) s.dim[k] = p->kernel[k];
    s.dim[p->axes] = p->in / p->groups;
    s.dim[p->axes + 1] = p->out;
    return s;
}

static Shape output_shape(const Problem *p) {
    Shape s = {.ndim = p->axes + 2, .dim = {p->images}};
    for (int k = 0; k < p->axes; k++) s.dim[1 + k] = out_size(p, k);
    s.dim[p->axes + 1] = p->out;
    return s;
}

/* ---- plain loops ---- */

typedef struct Reference {
    const Problem *problem;
    const Operand *x, *w, *y; /* the one that is asked for: NULL */
    double *result, *scale;   /* the sums, and the sums of absolute values */
} Reference;

static double at(const Operand *o, int64_t i) { return ((const double *)o->data)[i]; }

static void add_product(Reference *r, int64_t x, int64_t w, int64_t y) {
    int64_t place = !r->x ? x : !r->w ? w : y;
    double product =
        (r->x ? at(r->x, x) : 1) * (r->w ? at(r->w, w) : 1) * (r->y ? at(r->y, y) : 1);
    r->result[place] += product;
    r->scale[place] += fabs(product);
}

/* All channels of one pixel of the output and one tap. */
static void add_channels(Reference *r, int64_t x_pixel, int64_t tap, int64_t y_pixel) {
    const Problem *p = r->problem;
    int64_t in = p->in / p->groups, out = p->out / p->groups;
    for (int64_t g = 0; g < p->groups; g++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t o = 0; o < out; o++)
                add_product(r, x_pixel * p->in + g * in + i,
                            (tap * in + i) * p->out + g * out + o,
                            y_pixel * p->out + g * out + o);
}

/* Splits a number into places along the axes, the last fastest. */
static int64_t split(const Problem *p, const int64_t size[], int64_t number,
                     int64_t place[]) {
    for (int k = p->axes - 1; k >= 0; k--) {
        place[k] = number % size[k];
        number /= size[k];
    }
    return number;
}

static void add_all(Reference *r) {
    const Problem *p = r->problem;
    int64_t pixels = p->images, taps = 1, out[3];
    for (int k = 0; k < p->axes; k++) {
        out[k] = out_size(p, k);
        pixels *= out[k];
        taps *= p->kernel[k];
    }
    for (int64_t y = 0; y < pixels; y++) {
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t o[3], t[3], x = split(p, out, y, o);
            bool inside = true;
            split(p, p->kernel, tap, t);
            for (int k = 0; k < p->axes; k++) {
                int64_t i = o[k] * p->stride[k] - p->before[k] + t[k] * p->dilation[k];
                inside = inside && i >= 0 && i < p->size[k];
                x = x * p->size[k] + i;
            }
            if (inside) add_channels(r, x, tap, y);
        }
    }
}

/* ---- runs ---- */

/* A copy of an operand in doubles. */
static Operand doubled(const Operand *o) {
    Operand copy = trial_operand(DTYPE_FLOAT64, o->shape, 0);
    for (int64_t i = 0; i < o->size; i++) ((double *)copy.data)[i] = trial_at(o, i);
    return copy;
}

static void check_result(const Trial *t, const Reference *r, const char *name,
                         const char *isa, const char *memory) {
    Operand out = t->out[0];
    double unit = out.dtype == DTYPE_FLOAT32 ? 4e-7 : 1e-15;
    int shown = 0;
    out.data = (char *)memory;
    for (int64_t i = 0; i < out.size; i++) {
        double got = trial_at(&out, i), want = r->result[i];
        test_checks++;
        if (fabs(got - want) <= unit * (2 + 2 * r->scale[i])) continue;
        test_failures++;
        if (shown++ < 3)
            fprintf(stderr, "%s, %s, %s: element %ld is %.9g, wanted %.9g\n", name, isa,
                    dtype_name(out.dtype), (long)i, got, want);
    }
}

/* Each instruction set agrees with the reference, and with itself in any order. */
static void run(Trial *t, const Reference *r, const char *name,
                const Kernel *const kernels[]) {
    size_t bytes = trial_bytes(&t->out[0]);
    char *memory = mem_alloc(bytes + TRIAL_GUARD), *first = mem_alloc(bytes + 1);
    if (!memory || !first) abort();
    for (int isa = 0; isa < TRIAL_ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        for (int order = 0; order < 3; order++) {
            trial_once(t, kernels[isa], order, &memory);
            CHECK(trial_guarded(memory, bytes));
            if (order == 0) {
                memcpy(first, memory, bytes);
                check_result(t, r, name, isa_name((Isa)isa), memory);
            } else {
                CHECK(!memcmp(first, memory, bytes));
            }
        }
    }
    mem_free(memory);
    mem_free(first);
}

static void finish(Trial *t, Reference *r, const char *name,
                   const Kernel *const kernels[]) {
    add_all(r);
    run(t, r, name, kernels);
    trial_end(t);
    mem_free(r->result);
    mem_free(r->scale);
}

/* Two inputs and the output, and sums that begin as zeros. */
static void begin(Trial *t, Reference *r, const Problem *p, DType dtype, Shape a, Shape b,
                  Shape out) {
    size_t size = (size_t)shape_size(&out) + 1;
    *t = (Trial){.call = {.attrs = attrs_of(p)}};
    trial_in(t, dtype, a);
    trial_in(t, dtype, b);
    trial_out(t, dtype, out);
    trial_fill(t, 0, 1, -1, 1);
    trial_fill(t, 1, 2, -1, 1);
    *r = (Reference){.problem = p,
                     .result = mem_zalloc(size * sizeof(double)),
                     .scale = mem_zalloc(size * sizeof(double))};
    if (!r->result || !r->scale) abort();
}

static void try_conv(const Problem *p, DType dtype) {
    Shape x = input_shape(p), w = kernel_shape(p), y = output_shape(p);
    Trial t;
    Reference r;
    begin(&t, &r, p, dtype, x, w, y);
    Operand a = doubled(&t.in[0]), b = doubled(&t.in[1]);
    r.x = &a, r.w = &b;
    finish(&t, &r, KERNELS(conv));
    mem_free(a.data), mem_free(b.data);

    begin(&t, &r, p, dtype, y, w, x);
    a = doubled(&t.in[0]), b = doubled(&t.in[1]);
    r.y = &a, r.w = &b;
    finish(&t, &r, KERNELS(conv_grad_input));
    mem_free(a.data), mem_free(b.data);

    begin(&t, &r, p, dtype, x, y, w);
    a = doubled(&t.in[0]), b = doubled(&t.in[1]);
    r.x = &a, r.y = &b;
    finish(&t, &r, KERNELS(conv_grad_kernel));
    mem_free(a.data), mem_free(b.data);
}

/* ---- problems ---- */

/* One with defaults: stride and dilation 1, no padding, one group. */
static Problem problem(int axes, int64_t images, int64_t size, int64_t in, int64_t kernel,
                       int64_t out) {
    Problem p = {.axes = axes, .images = images, .in = in, .out = out, .groups = 1};
    for (int k = 0; k < axes; k++) {
        p.size[k] = size;
        p.kernel[k] = kernel;
        p.stride[k] = p.dilation[k] = 1;
    }
    return p;
}

static Problem padded(Problem p, int64_t before, int64_t after) {
    for (int k = 0; k < p.axes; k++) p.before[k] = before, p.after[k] = after;
    return p;
}

static Problem strided(Problem p, int64_t stride, int64_t dilation) {
    for (int k = 0; k < p.axes; k++) p.stride[k] = stride, p.dilation[k] = dilation;
    return p;
}

static Problem grouped(Problem p, int64_t groups) {
    p.groups = groups;
    return p;
}

/* The shapes that decide which loops run: interior, border columns, images together,
 * whole and partial vectors, several blocks of channels, windows, phases. */
static void chosen(void) {
    const Problem all[] = {
        problem(2, 3, 12, 1, 3, 32),
        problem(2, 2, 9, 32, 3, 64),
        problem(2, 9, 5, 64, 3, 64),
        problem(2, 1, 5, 9, 3, 64),
        padded(problem(2, 3, 5, 2, 5, 128), 1, 1),
        strided(problem(2, 2, 9, 3, 4, 48), 2, 1),
        padded(problem(2, 2, 14, 16, 3, 80), 1, 1),
        padded(problem(2, 11, 6, 5, 3, 7), 1, 1),
        padded(problem(2, 1, 20, 3, 5, 130), 2, 2),
        padded(problem(2, 2, 4, 3, 7, 5), 4, 4),
        padded(problem(2, 2, 7, 4, 2, 9), 3, 5),
        strided(padded(problem(2, 2, 13, 3, 3, 17), 0, 1), 2, 1),
        strided(padded(problem(2, 5, 11, 20, 3, 33), 1, 1), 3, 1),
        strided(problem(2, 2, 9, 6, 1, 8), 2, 1),
        strided(problem(2, 2, 8, 6, 2, 8), 4, 1),
        strided(padded(problem(2, 2, 13, 3, 3, 17), 2, 2), 1, 2),
        strided(problem(2, 2, 15, 18, 2, 6), 1, 5),
        problem(2, 2, 6, 30, 1, 70),
        problem(1, 3, 40, 24, 7, 32),
        problem(1, 1, 300, 24, 7, 33),
        strided(padded(problem(1, 2, 301, 5, 4, 3), 2, 1), 3, 1),
        grouped(padded(problem(1, 1, 299, 17, 3, 17), 1, 1), 17),
        grouped(strided(problem(1, 2, 299, 17, 3, 17), 2, 1), 17),
        padded(problem(1, 2, 50, 2, 4, 3), 3, 0),
        strided(padded(problem(1, 40, 9, 8, 3, 16), 4, 0), 1, 2),
        problem(3, 2, 5, 3, 3, 9),
        strided(padded(problem(3, 2, 6, 4, 3, 5), 1, 1), 2, 1),
        grouped(padded(problem(2, 2, 8, 8, 3, 12), 1, 1), 4),
        grouped(problem(1, 2, 12, 6, 3, 6), 2),
        grouped(strided(problem(2, 2, 9, 4, 3, 8), 2, 1), 4),
        grouped(padded(problem(2, 3, 9, 20, 3, 20), 1, 1), 20),
        grouped(strided(padded(problem(2, 2, 9, 37, 3, 37), 1, 1), 2, 1), 37),
        grouped(strided(problem(2, 2, 12, 3, 3, 3), 1, 3), 3),
        grouped(padded(problem(1, 2, 19, 16, 4, 16), 3, 0), 16),
        grouped(problem(3, 1, 5, 18, 2, 18), 18),
        problem(2, 1, 3, 300, 2, 200),
        problem(2, 0, 5, 2, 3, 4),
    };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (int d = DTYPE_FLOAT32; d <= DTYPE_FLOAT64; d++) try_conv(&all[k], (DType)d);
}

static int64_t between(uint64_t *state, int64_t low, int64_t high) {
    return low + trial_below(state, high - low + 1);
}

static void any(void) {
    uint64_t state = 5;
    for (int k = 0; k < 150; k++) {
        Problem p = {.axes = (int)between(&state, 1, 3)};
        int64_t most = p.axes == 3 ? 5 : p.axes == 2 ? 10 : 30;
        p.images = between(&state, 1, 9);
        p.groups = between(&state, 0, 2) ? 1 : between(&state, 2, 5);
        p.in = p.groups * between(&state, 1, between(&state, 0, 3) ? 6 : 24);
        p.out = p.groups * between(&state, 1, between(&state, 0, 3) ? 9 : 70);
        for (int a = 0; a < p.axes; a++) {
            p.kernel[a] = between(&state, 1, 4);
            p.stride[a] = between(&state, 0, 1) ? 1 : between(&state, 1, 3);
            p.dilation[a] = p.stride[a] > 1 ? 1 : between(&state, 1, 2);
            p.before[a] = between(&state, 0, 3);
            p.after[a] = between(&state, 0, 3);
            p.size[a] = between(&state, 1, most);
            int64_t wide = (p.kernel[a] - 1) * p.dilation[a] + 1;
            if (p.size[a] + p.before[a] + p.after[a] < wide) p.size[a] = wide;
        }
        try_conv(&p, k % 4 ? DTYPE_FLOAT32 : DTYPE_FLOAT64);
    }
}

static const Kernel *const *only(const char *name, const Kernel *const kernels[]) {
    return kernels;
}

/* Bias and relu in the same pass: the bits of the steps one after the other, nan too. */
static void try_bias(const Problem *p, int64_t relu) {
    Shape bias = {1, {p->out}};
    Trial t = {.call = {.attrs = attrs_of(p)}};
    t.call.attrs.i[13] = relu;
    float *x = trial_in(&t, DTYPE_FLOAT32, input_shape(p));
    trial_in(&t, DTYPE_FLOAT32, kernel_shape(p));
    Trial plain = t;
    trial_in(&t, DTYPE_FLOAT32, bias);
    trial_out(&t, DTYPE_FLOAT32, output_shape(p));
    for (int k = 0; k < 3; k++) trial_fill(&t, k, (uint64_t)k + 3, -1, 1);
    x[0] = NAN;
    plain.out[0] = trial_operand(DTYPE_FLOAT32, output_shape(p), TRIAL_GUARD);
    plain.call.n_out = 1;
    char *sums = plain.out[0].data, *got = t.out[0].data;
    const Kernel *const *conv = only(KERNELS(conv));
    const Kernel *const *fused = only(KERNELS(conv_bias));
    for (int isa = 0; isa < TRIAL_ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        trial_once(&plain, conv[isa], 0, &sums);
        trial_once(&t, fused[isa], 0, &got);
        for (int64_t i = 0; i < t.out[0].size; i++) {
            float sum = ((float *)sums)[i] + ((float *)t.in[2].data)[i % p->out];
            float y = ((float *)got)[i];
            if (relu && sum < 0) sum = 0;
            CHECK(isnan(sum) ? isnan(y) : sum == y);
        }
    }
    mem_free(plain.out[0].data);
    trial_end(&t);
}

static void with_bias(void) {
    const Problem all[] = {
        padded(problem(2, 2, 9, 3, 3, 37), 1, 1), problem(2, 2, 6, 5, 1, 9),
        grouped(problem(1, 2, 20, 18, 3, 18), 18), grouped(problem(2, 1, 6, 4, 2, 6), 2)};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (int relu = 0; relu < 2; relu++) try_bias(&all[k], relu);
}

TEST_MAIN(chosen, any, with_bias)
