/* Reductions: every set of axes of several shapes against plain loops, large
 * reductions that are split, accuracy, nan rules; argmax, cumsum, logsumexp. */
#include "trial.h"

KERNEL_DECLARE(sum);
KERNEL_DECLARE(mean);
KERNEL_DECLARE(prod);
KERNEL_DECLARE(max);
KERNEL_DECLARE(min);
KERNEL_DECLARE(all);
KERNEL_DECLARE(any);
KERNEL_DECLARE(logsumexp);
KERNEL_DECLARE(argmax);
KERNEL_DECLARE(argmin);
KERNEL_DECLARE(cumsum);

/* The shape without the axes of a mask. */
static Shape reduced_shape(const Shape *shape, unsigned mask) {
    Shape out = {0};
    for (int k = 0; k < shape->ndim; k++)
        if (!(mask >> k & 1)) out.dim[out.ndim++] = shape->dim[k];
    return out;
}

/* The output element to which an input element belongs. */
static int64_t target(const Shape *shape, unsigned mask, int64_t at) {
    int64_t out = 0, step = 1;
    for (int k = shape->ndim - 1; k >= 0; k--) {
        int64_t index = at % shape->dim[k];
        at /= shape->dim[k];
        if (mask >> k & 1) continue;
        out += index * step;
        step *= shape->dim[k];
    }
    return out;
}

typedef struct Reference {
    double start;
    double (*combine)(double a, double x);
} Reference;

static double add_of(double a, double x) { return a + x; }
static double mul_of(double a, double x) { return a * x; }
static double max_of(double a, double x) {
    return isnan(a) || isnan(x) ? NAN : fmax(a, x);
}
static double min_of(double a, double x) {
    return isnan(a) || isnan(x) ? NAN : fmin(a, x);
}
static double add_exp_of(double a, double x) { return a + exp(x); }
static const Reference sum_reference = {0, add_of}, prod_reference = {1, mul_of};
static const Reference max_reference = {-INFINITY, max_of},
                       min_reference = {INFINITY, min_of};
static const Reference exp_reference = {0, add_exp_of};

static double *expected;
static double expected_at(const Trial *t, int64_t at) { return expected[at]; }

static void compute_expected(const Trial *t, unsigned mask, Reference reference) {
    const Operand *in = &t->in[0];
    expected = realloc(expected, (size_t)(t->out[0].size + 1) * sizeof *expected);
    for (int64_t i = 0; i < t->out[0].size; i++) expected[i] = reference.start;
    for (int64_t i = 0; i < in->size; i++) {
        double *to = &expected[target(&in->shape, mask, i)];
        *to = reference.combine(*to, trial_at(in, i));
    }
}

static void begin(Trial *t, DType in, DType out, Shape shape, unsigned mask, double low,
                  double high) {
    trial_end(t);
    trial_in(t, in, shape);
    trial_out(t, out, reduced_shape(&shape, mask));
    trial_fill(t, 0, (uint64_t)mask + 5, low, high);
    t->call.attrs.i[0] = mask;
}

static const Shape shapes[] = {
    {0},
    {1, {1}},
    {1, {7}},
    {1, {1000}},
    {2, {128, 10}},
    {2, {128, 512}},
    {2, {10, 300}},
    {2, {9, 1}},
    {2, {33, 70}},
    {3, {5, 1, 9}},
    {3, {17, 30, 21}},
    {3, {2, 65, 129}},
    {4, {3, 4, 5, 6}},
    {4, {6, 20, 2, 64}},
    {5, {3, 2, 4, 3, 5}},
    {8, {2, 3, 2, 3, 2, 3, 2, 3}},
    {2, {0, 4}},
};

static void each_set_of_axes(void) {
    Trial t = {0};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        for (unsigned mask = 0; mask < 1u << shapes[k].ndim; mask++) {
            if (shapes[k].ndim == 8 && mask % 3) continue;
            begin(&t, DTYPE_FLOAT32, DTYPE_FLOAT32, shapes[k], mask, -0.5, 1);
            compute_expected(&t, mask, sum_reference);
            trial_run(&t, KERNELS(sum));
            trial_expect(&t, 0, "sum", 1e-6, expected_at);
            double count =
                t.out[0].size ? (double)t.in[0].size / (double)t.out[0].size : 0;
            for (int64_t i = 0; i < t.out[0].size; i++) expected[i] /= count;
            trial_run(&t, KERNELS(mean));
            trial_expect(&t, 0, "mean", 1e-6, expected_at);
            if (!t.in[0].size) continue;
            compute_expected(&t, mask, max_reference);
            trial_run(&t, KERNELS(max));
            trial_expect(&t, 0, "max", 0, expected_at);
            compute_expected(&t, mask, exp_reference);
            for (int64_t i = 0; i < t.out[0].size; i++) expected[i] = log(expected[i]);
            trial_run(&t, KERNELS(logsumexp));
            trial_expect(&t, 0, "logsumexp", 1e-6, expected_at);
        }
    }
    trial_end(&t);
}

static void by_dtype(void) {
    static const DType dtypes[] = {DTYPE_BOOL, DTYPE_UINT8, DTYPE_INT32, DTYPE_INT64,
                                   DTYPE_FLOAT64};
    Trial t = {0};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        for (int d = 0; d < 5; d++) {
            if (!shape_size(&shapes[k])) continue;
            unsigned mask =
                (unsigned)(k * 2654435761u >> 3) & ((1u << shapes[k].ndim) - 1);
            DType in = dtypes[d], wide = in == DTYPE_FLOAT64 ? in : DTYPE_INT64;
            double low = in == DTYPE_BOOL || in == DTYPE_UINT8 ? 0 : -100;
            begin(&t, in, wide, shapes[k], mask, low, in == DTYPE_BOOL ? 1.2 : 100);
            compute_expected(&t, mask, sum_reference);
            trial_run(&t, KERNELS(sum));
            trial_expect(&t, 0, "sum", 1e-12, expected_at);
            begin(&t, in, wide, shapes[k], mask, in == DTYPE_BOOL ? 0 : 1, 2);
            compute_expected(&t, mask, prod_reference);
            trial_run(&t, KERNELS(prod));
            if (in != DTYPE_FLOAT64 || t.in[0].size / t.out[0].size < 1000)
                trial_expect(&t, 0, "prod", 1e-12, expected_at);
            begin(&t, in, in, shapes[k], mask, low, in == DTYPE_BOOL ? 1.2 : 100);
            compute_expected(&t, mask, max_reference);
            trial_run(&t, KERNELS(max));
            trial_expect(&t, 0, "max", 0, expected_at);
            compute_expected(&t, mask, min_reference);
            trial_run(&t, KERNELS(min));
            trial_expect(&t, 0, "min", 0, expected_at);
            if (in != DTYPE_BOOL) continue;
            trial_run(&t, KERNELS(all));
            trial_expect(&t, 0, "all", 0, expected_at);
            compute_expected(&t, mask, max_reference);
            trial_run(&t, KERNELS(any));
            trial_expect(&t, 0, "any", 0, expected_at);
        }
    }
    trial_end(&t);
}

/* Large ones, which are cut into segments: a million ones and a little noise. */
static void large(void) {
    static const struct {
        Shape shape;
        unsigned mask;
    } cases[] = {
        {{1, {1000003}}, 1},     {{2, {3, 400001}}, 2},    {{2, {200001, 3}}, 1},
        {{2, {20000, 50}}, 1},   {{2, {3000, 300}}, 1},    {{2, {1000, 1000}}, 3},
        {{3, {400, 5, 500}}, 5}, {{3, {2, 300000, 2}}, 2}, {{2, {200000, 10}}, 2},
    };
    Trial t = {0};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        begin(&t, DTYPE_FLOAT32, DTYPE_FLOAT32, cases[k].shape, cases[k].mask, 0.9, 1.1);
        compute_expected(&t, cases[k].mask, sum_reference);
        trial_run(&t, KERNELS(sum));
        trial_expect(&t, 0, "large sum", 2e-7, expected_at);
        compute_expected(&t, cases[k].mask, min_reference);
        trial_run(&t, KERNELS(min));
        trial_expect(&t, 0, "large min", 0, expected_at);
        compute_expected(&t, cases[k].mask, exp_reference);
        for (int64_t i = 0; i < t.out[0].size; i++) expected[i] = log(expected[i]);
        trial_run(&t, KERNELS(logsumexp));
        trial_expect(&t, 0, "large logsumexp", 1e-6, expected_at);
    }
    trial_end(&t);
}

static float over_all(float a, float b, int64_t at, int64_t n, const char *name,
                      const Kernel *const kernels[]) {
    Trial t = {0};
    float *x = trial_in(&t, DTYPE_FLOAT32, shape_of(1, n));
    float *y = trial_out(&t, DTYPE_FLOAT32, shape_of(0));
    for (int64_t i = 0; i < n; i++) x[i] = a;
    x[at] = b;
    t.call.attrs.i[0] = 1;
    trial_run(&t, name, kernels);
    float result = *y;
    trial_end(&t);
    return result;
}

static void extremes(void) {
    for (int64_t at = 0; at < 300; at += 13) {
        CHECK(isnan(over_all(1, NAN, at, 300, KERNELS(max))));
        CHECK(isnan(over_all(1, NAN, at, 300, KERNELS(min))));
        CHECK(isnan(over_all(1, NAN, at, 300, KERNELS(logsumexp))));
        CHECK(over_all(1, INFINITY, at, 300, KERNELS(logsumexp)) == INFINITY);
    }
    CHECK(over_all(-INFINITY, -INFINITY, 0, 100, KERNELS(logsumexp)) == -INFINITY);
    CHECK(over_all(-INFINITY, -INFINITY, 0, 100, KERNELS(max)) == -INFINITY);
    CHECK_NEAR(over_all(1000, 1000, 0, 100, KERNELS(logsumexp)), 1000 + log(100), 1e-6);
    CHECK_NEAR(over_all(-1000, -1000, 0, 100, KERNELS(logsumexp)), -1000 + log(100),
               1e-6);
}

/* Half the factors are large and half small: partial products leave float's range. */
static void products_in_range(void) {
    Trial t = {0};
    float *x = trial_in(&t, DTYPE_FLOAT32, shape_of(1, 80L));
    float *y = trial_out(&t, DTYPE_FLOAT32, shape_of(0));
    for (int i = 0; i < 80; i++) x[i] = i % 2 ? 0x1p20f : 0x1p-20f;
    t.call.attrs.i[0] = 1;
    trial_run(&t, KERNELS(prod));
    CHECK(*y == 1);
    trial_end(&t);
}

/* ---- along one axis ---- */

static int arg_sign;
static double arg_reference(const Trial *t, int64_t at) {
    const Shape *shape = &t->in[0].shape;
    int axis = (int)t->call.attrs.i[0];
    int64_t n = shape->dim[axis], inner = 1, best = 0;
    for (int k = axis + 1; k < shape->ndim; k++) inner *= shape->dim[k];
    int64_t first = at / inner * n * inner + at % inner;
    for (int64_t i = 1; i < n; i++) {
        double x = trial_at(&t->in[0], first + i * inner);
        double y = trial_at(&t->in[0], first + best * inner);
        if (isnan(y)) break;
        if (isnan(x) || arg_sign * x > arg_sign * y) best = i;
    }
    return (double)best;
}

static void places(void) {
    Trial t = {0};
    for (size_t k = 1; k < sizeof shapes / sizeof *shapes - 1; k++) {
        for (int axis = 0; axis < shapes[k].ndim; axis++) {
            for (int d = DTYPE_UINT8; d < DTYPE_COUNT; d++) {
                begin(&t, (DType)d, DTYPE_INT64, shapes[k], 1u << axis, 0, 40);
                t.call.attrs.i[0] = axis;
                for (int64_t i = 5; dtype_is_float((DType)d) && i < t.in[0].size; i += 61)
                    dtype_store((DType)d,
                                (char *)t.in[0].data + (size_t)i * dtype_size((DType)d),
                                NAN);
                arg_sign = 1;
                trial_run(&t, KERNELS(argmax));
                trial_expect(&t, 0, "argmax", 0, arg_reference);
                arg_sign = -1;
                trial_run(&t, KERNELS(argmin));
                trial_expect(&t, 0, "argmin", 0, arg_reference);
            }
        }
    }
    trial_end(&t);
}

static double cumsum_reference(const Trial *t, int64_t at) {
    const Shape *shape = &t->in[0].shape;
    int axis = (int)t->call.attrs.i[0];
    int64_t n = shape->dim[axis], inner = 1;
    for (int k = axis + 1; k < shape->ndim; k++) inner *= shape->dim[k];
    int64_t place = at / inner % n, line = at - place * inner;
    bool reverse = t->call.attrs.i[1], exclusive = t->call.attrs.i[2];
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        bool before = reverse ? i > place : i < place;
        if (before || (i == place && !exclusive))
            sum += trial_at(&t->in[0], line + i * inner);
    }
    return sum;
}

static void running_sums(void) {
    static const DType dtypes[][2] = {{DTYPE_BOOL, DTYPE_INT64},
                                      {DTYPE_INT32, DTYPE_INT64},
                                      {DTYPE_INT64, DTYPE_INT64},
                                      {DTYPE_FLOAT32, DTYPE_FLOAT32},
                                      {DTYPE_FLOAT64, DTYPE_FLOAT64}};
    static const Shape small[] = {{1, {300}}, {2, {20, 30}}, {3, {4, 9, 70}}};
    Trial t = {0};
    for (int k = 0; k < 3; k++) {
        for (int axis = 0; axis < small[k].ndim; axis++) {
            for (int d = 0; d < 5; d++) {
                for (int mode = 0; mode < 4; mode++) {
                    begin(&t, dtypes[d][0], dtypes[d][1], small[k], 0, 0, 1.5);
                    t.call.attrs.i[0] = axis;
                    t.call.attrs.i[1] = mode & 1;
                    t.call.attrs.i[2] = mode >> 1;
                    trial_run(&t, KERNELS(cumsum));
                    trial_expect(&t, 0, "cumsum", 1e-6, cumsum_reference);
                }
            }
        }
    }
    trial_end(&t);
}

TEST_MAIN(each_set_of_axes, by_dtype, large, extremes, products_in_range, places,
          running_sums)
