/* Convolution and pooling in one pass has the bits of one after the other: every
 * instruction set, along one, two and three axes, with paddings, strides, windows that
 * overlap, leave gaps or do not divide the sizes, groups, and images that are cut into
 * strips. */
#include "trial.h"

KERNEL_DECLARE(conv_bias);
KERNEL_DECLARE(max_pool);
KERNEL_DECLARE(average_pool);
KERNEL_DECLARE(conv_pool);

static const Kernel *const *only(const char *name, const Kernel *const kernels[]) {
    return kernels;
}

typedef struct Problem {
    int axes;
    int64_t images, in, out, groups, relu, mean;
    int64_t size[3], kernel[3], stride[3], dilation[3], before[3], after[3];
    int64_t window[3], step[3], margin[3], end[3]; /* of the pooling; its paddings */
} Problem;

static Attrs attrs_of(const Problem *p) {
    Attrs a = {0};
    for (int k = 0; k < p->axes; k++) {
        a.i[k] = p->stride[k];
        a.i[3 + 2 * k] = p->before[k];
        a.i[4 + 2 * k] = p->after[k];
        a.i[9 + k] = p->dilation[k];
        a.i[14 + k] = p->step[k];
        a.i[17 + 2 * k] = p->margin[k];
        a.i[18 + 2 * k] = p->end[k];
        a.i[23 + k] = p->window[k];
    }
    a.i[12] = p->groups;
    a.i[13] = p->relu;
    a.i[26] = p->mean;
    return a;
}

static int64_t conv_size(const Problem *p, int k) {
    int64_t wide = (p->kernel[k] - 1) * p->dilation[k] + 1;
    return (p->size[k] + p->before[k] + p->after[k] - wide) / p->stride[k] + 1;
}

static int64_t pool_size(const Problem *p, int k) {
    return (conv_size(p, k) + p->margin[k] + p->end[k] - p->window[k]) / p->step[k] + 1;
}

/* {images, sizes ..., channels} */
static Shape shape_with(const Problem *p, int64_t (*size)(const Problem *, int),
                        int64_t channels) {
    Shape s = {.ndim = p->axes + 2, .dim = {p->images}};
    for (int k = 0; k < p->axes; k++) s.dim[1 + k] = size ? size(p, k) : p->size[k];
    s.dim[p->axes + 1] = channels;
    return s;
}

/* The two kernels one after the other, into memory of the pooling's size. */
static void run_apart(const Trial *joint, const Problem *p, int isa, char *result) {
    const Kernel *const *conv = only(KERNELS(conv_bias));
    const Kernel *const *pool =
        p->mean ? only(KERNELS(average_pool)) : only(KERNELS(max_pool));
    Shape between = shape_with(p, conv_size, p->out);
    Trial first = *joint, second = {0};
    first.out[0] = trial_operand(joint->out[0].dtype, between, TRIAL_GUARD);
    char *memory = first.out[0].data;
    trial_once(&first, conv[isa], 0, &memory);
    second.in[0] = first.out[0];
    second.call.n_in = 1;
    second.out[0] = joint->out[0];
    second.call.n_out = 1;
    memcpy(second.call.attrs.i, joint->call.attrs.i + 14, 12 * sizeof(int64_t));
    trial_once(&second, pool[isa], 0, &result);
    mem_free(memory);
}

static void try_joint(const Problem *p, DType dtype, bool nan) {
    const Kernel *const *kernels = only(KERNELS(conv_pool));
    Trial t = {.call = {.attrs = attrs_of(p)}};
    Shape w = {.ndim = p->axes + 2};
    for (int k = 0; k < p->axes; k++) w.dim[k] = p->kernel[k];
    w.dim[p->axes] = p->in / p->groups;
    w.dim[p->axes + 1] = p->out;
    trial_in(&t, dtype, shape_with(p, NULL, p->in));
    trial_in(&t, dtype, w);
    trial_in(&t, dtype, (Shape){1, {p->out}});
    trial_out(&t, dtype, shape_with(p, pool_size, p->out));
    for (int k = 0; k < 3; k++) trial_fill(&t, k, (uint64_t)k + 7, -1, 1);
    if (nan && t.in[0].size)
        dtype_store(dtype,
                    (char *)t.in[0].data + (size_t)(t.in[0].size / 2) * dtype_size(dtype),
                    NAN);
    size_t bytes = trial_bytes(&t.out[0]) + TRIAL_GUARD;
    char *want = mem_alloc(bytes), *got = mem_alloc(bytes);
    if (!want || !got) abort();
    for (int isa = 0; isa < TRIAL_ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        run_apart(&t, p, isa, want);
        for (int order = 0; order < 3; order++) {
            trial_once(&t, kernels[isa], order, &got);
            CHECK(trial_guarded(got, bytes - TRIAL_GUARD));
            CHECK(trial_same(&t.out[0], got, want));
        }
    }
    mem_free(want);
    mem_free(got);
    trial_end(&t);
}

/* ---- problems ---- */

/* Stride and dilation 1, no padding, one group, relu, windows of two that do not overlap. */
static Problem problem(int axes, int64_t images, int64_t size, int64_t in, int64_t kernel,
                       int64_t out) {
    Problem p = {.axes = axes, .images = images, .in = in, .out = out, .groups = 1};
    p.relu = 1;
    for (int k = 0; k < axes; k++) {
        p.size[k] = size;
        p.kernel[k] = kernel;
        p.stride[k] = p.dilation[k] = 1;
        p.window[k] = p.step[k] = 2;
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

static Problem pooled(Problem p, int64_t window, int64_t step, int64_t margin,
                      int64_t end) {
    for (int k = 0; k < p.axes; k++) {
        p.window[k] = window;
        p.step[k] = step;
        p.margin[k] = margin;
        p.end[k] = end;
    }
    return p;
}

static Problem grouped(Problem p, int64_t groups) {
    p.groups = groups;
    return p;
}

static void chosen(void) {
    const Problem all[] = {
        problem(2, 3, 28, 1, 3, 32),
        problem(2, 9, 13, 32, 3, 64),
        problem(2, 1, 13, 8, 3, 64),
        pooled(problem(2, 1, 5, 8, 3, 64), 1, 1, 0, 0),
        padded(problem(2, 2, 14, 6, 3, 80), 1, 1),
        padded(problem(2, 1, 40, 3, 3, 64), 1, 1),
        padded(problem(2, 70, 6, 3, 3, 7), 1, 1),
        pooled(problem(2, 2, 20, 3, 3, 19), 3, 2, 1, 1),
        pooled(problem(2, 2, 21, 3, 3, 19), 3, 2, 0, 1),
        pooled(problem(2, 5, 30, 3, 5, 33), 2, 3, 0, 0),
        pooled(padded(problem(2, 2, 9, 3, 3, 16), 1, 1), 9, 9, 0, 0),
        pooled(padded(problem(2, 2, 9, 3, 3, 16), 1, 1), 4, 1, 3, 2),
        strided(padded(problem(2, 2, 27, 3, 3, 17), 0, 1), 2, 1),
        strided(padded(problem(2, 2, 23, 3, 3, 17), 2, 2), 1, 2),
        problem(2, 2, 12, 30, 1, 70),
        grouped(padded(problem(2, 2, 8, 8, 3, 12), 1, 1), 4),
        grouped(padded(problem(2, 3, 19, 20, 3, 20), 1, 1), 20),
        grouped(strided(padded(problem(2, 2, 19, 37, 3, 37), 1, 1), 2, 1), 37),
        problem(1, 3, 400, 5, 7, 32),
        padded(pooled(problem(1, 1, 901, 4, 5, 40), 3, 3, 1, 1), 2, 2),
        pooled(problem(1, 40, 33, 6, 3, 9), 5, 2, 2, 2),
        problem(3, 2, 9, 3, 3, 18),
        pooled(padded(problem(3, 1, 8, 2, 3, 33), 1, 1), 3, 3, 1, 1),
        problem(2, 0, 8, 2, 3, 4),
    };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        for (int d = DTYPE_FLOAT32; d <= DTYPE_FLOAT64; d++) {
            Problem p = all[k];
            try_joint(&p, (DType)d, false);
            p.mean = 1;
            try_joint(&p, (DType)d, true);
            p.mean = p.relu = 0;
            try_joint(&p, (DType)d, true);
        }
    }
}

static int64_t between(uint64_t *state, int64_t low, int64_t high) {
    return low + trial_below(state, high - low + 1);
}

static void any(void) {
    uint64_t state = 11;
    for (int n = 0; n < 200; n++) {
        Problem p =
            problem((int)between(&state, 1, 3), between(&state, 1, 9), 1, 1, 1, 1);
        int64_t most = p.axes == 3 ? 7 : p.axes == 2 ? 17 : 90;
        p.groups = between(&state, 0, 2) ? 1 : between(&state, 2, 5);
        p.in = p.groups * between(&state, 1, 6);
        p.out = p.groups * between(&state, 1, between(&state, 0, 3) ? 9 : 70);
        p.relu = between(&state, 0, 1);
        p.mean = between(&state, 0, 1);
        for (int k = 0; k < p.axes; k++) {
            p.kernel[k] = between(&state, 1, 4);
            p.stride[k] = between(&state, 0, 1) ? 1 : between(&state, 1, 3);
            p.dilation[k] = p.stride[k] > 1 ? 1 : between(&state, 1, 2);
            p.before[k] = between(&state, 0, 3);
            p.after[k] = between(&state, 0, 3);
            int64_t wide = (p.kernel[k] - 1) * p.dilation[k] + 1;
            p.size[k] = between(&state, wide, wide + most);
            p.window[k] = between(&state, 1, 3);
            if (p.window[k] > conv_size(&p, k)) p.window[k] = 1;
            p.step[k] = between(&state, 1, 3);
            p.margin[k] = between(&state, 0, p.window[k] - 1);
            p.end[k] = between(&state, 0, p.window[k] - 1);
        }
        try_joint(&p, n % 4 ? DTYPE_FLOAT32 : DTYPE_FLOAT64, n % 3 == 0);
    }
}

TEST_MAIN(chosen, any)
