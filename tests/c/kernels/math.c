/* Transcendental kernels: errors in units in the last place over the whole range of
 * floats, special values, doubles, and casts. */
#include <float.h>
#include "trial.h"

KERNEL_DECLARE(exp);
KERNEL_DECLARE(expm1);
KERNEL_DECLARE(log);
KERNEL_DECLARE(log1p);
KERNEL_DECLARE(tanh);
KERNEL_DECLARE(sigmoid);
KERNEL_DECLARE(erf);
KERNEL_DECLARE(gelu);
KERNEL_DECLARE(softplus);
KERNEL_DECLARE(sin);
KERNEL_DECLARE(cos);
KERNEL_DECLARE(cast);

enum { SAMPLES = 40000 };

/* Distance of two floats on the scale of the wanted one; denormals count as 0 does. */
static double ulps(float got, double want) {
    float rounded = (float)want;
    if (isnan(want)) return isnan(got) ? 0 : 1e9;
    if (isinf(rounded))
        return got == rounded ? 0 : got > FLT_MAX / 2 && rounded > 0 ? 1 : 1e9;
    double spacing = nextafterf(fabsf(rounded), INFINITY) - (double)fabsf(rounded);
    return fabs(got - want) / fmax(spacing, (double)FLT_MIN);
}

/* Floats of all magnitudes in [low, high], and others evenly spread. */
static float sample(uint64_t *state, double low, double high) {
    for (;;) {
        if (trial_below(state, 2)) return (float)trial_uniform(state, low, high);
        double size = exp2(trial_uniform(state, -126, 128));
        double value = trial_below(state, 2) ? size : -size;
        if (value >= low && value <= high) return (float)value;
    }
}

static void sweep(double (*reference)(double), double low, double high, double bound,
                  const char *name, const Kernel *const kernels[]) {
    Trial t = {0};
    uint64_t state = 77;
    float *x = trial_in(&t, DTYPE_FLOAT32, shape_of(1, (int64_t)SAMPLES));
    float *y = trial_out(&t, DTYPE_FLOAT32, shape_of(1, (int64_t)SAMPLES));
    for (int i = 0; i < SAMPLES; i++) x[i] = sample(&state, low, high);
    x[0] = (float)low;
    x[1] = (float)high;
    trial_run(&t, name, kernels);
    double worst = 0, at = 0;
    for (int i = 0; i < SAMPLES; i++) {
        double error = ulps(y[i], reference(x[i]));
        if (error > worst) worst = error, at = x[i];
    }
    CHECK(worst <= bound);
    if (worst > bound) fprintf(stderr, "%s: %.3g ulp at %.9g\n", name, worst, at);
    trial_end(&t);
}

static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }
static double softplus_of(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double gelu_of(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752440); }

static void accuracy(void) {
    sweep(exp, -110, 95, 1.1, KERNELS(exp));
    sweep(expm1, -110, 95, 3.0, KERNELS(expm1));
    sweep(log, 0, FLT_MAX, 1.1, KERNELS(log));
    sweep(log1p, -1, FLT_MAX, 2.0, KERNELS(log1p));
    sweep(tanh, -20, 20, 2.0, KERNELS(tanh));
    sweep(sigmoid_of, -87, 100, 3.0, KERNELS(sigmoid));
    sweep(erf, -10, 10, 2.5, KERNELS(erf));
    sweep(softplus_of, -80, 1e6, 3.0, KERNELS(softplus));
    sweep(gelu_of, -1, 1e6, 3.0, KERNELS(gelu));
}

/* Where the error cannot be relative: near the zeros of sin and cos, and in gelu's
 * tail. */
static double (*reference_op)(double);
static double float_reference(const Trial *t, int64_t at) {
    return reference_op(trial_at(&t->in[0], at));
}

static void absolute(double (*op)(double), double low, double high, double tolerance,
                     const char *name, const Kernel *const kernels[]) {
    Trial t = {0};
    trial_in(&t, DTYPE_FLOAT32, shape_of(1, (int64_t)SAMPLES));
    trial_out(&t, DTYPE_FLOAT32, shape_of(1, (int64_t)SAMPLES));
    trial_fill(&t, 0, 5, low, high);
    reference_op = op;
    trial_run(&t, name, kernels);
    trial_expect(&t, 0, name, tolerance, float_reference);
    trial_end(&t);
}

static void angles(void) {
    absolute(sin, -10, 10, 1.2e-7, KERNELS(sin));
    absolute(cos, -10, 10, 1.2e-7, KERNELS(cos));
    absolute(sin, -9e5, 9e5, 1.2e-7, KERNELS(sin));
    absolute(cos, -9e5, 9e5, 1.2e-7, KERNELS(cos));
    absolute(sin, -1e9, 1e9, 1.2e-7, KERNELS(sin)); /* in part by the library */
    absolute(cos, -1e30, 1e30, 1.2e-7, KERNELS(cos));
    absolute(gelu_of, -20, 0, 1e-7, KERNELS(gelu));
}

static float one(float x, const char *name, const Kernel *const kernels[]) {
    Trial t = {0};
    *(float *)trial_in(&t, DTYPE_FLOAT32, shape_of(0)) = x;
    float *y = trial_out(&t, DTYPE_FLOAT32, shape_of(0));
    trial_run(&t, name, kernels);
    float result = *y;
    trial_end(&t);
    return result;
}

static void special_values(void) {
    CHECK(one(INFINITY, KERNELS(exp)) == INFINITY);
    CHECK(one(-INFINITY, KERNELS(exp)) == 0);
    CHECK(isnan(one(NAN, KERNELS(exp))));
    CHECK(one(0, KERNELS(exp)) == 1);
    CHECK(one(100, KERNELS(exp)) == INFINITY);
    CHECK(one(-INFINITY, KERNELS(expm1)) == -1);
    CHECK(one(INFINITY, KERNELS(expm1)) == INFINITY);
    CHECK(one(0, KERNELS(log)) == -INFINITY);
    CHECK(isnan(one(-1, KERNELS(log))));
    CHECK(one(INFINITY, KERNELS(log)) == INFINITY);
    CHECK(one(1, KERNELS(log)) == 0);
    CHECK(isnan(one(NAN, KERNELS(log))));
    CHECK(one(-1, KERNELS(log1p)) == -INFINITY);
    CHECK(isnan(one(-2, KERNELS(log1p))));
    CHECK(one(INFINITY, KERNELS(log1p)) == INFINITY);
    CHECK(one(INFINITY, KERNELS(tanh)) == 1 && one(-INFINITY, KERNELS(tanh)) == -1);
    CHECK(isnan(one(NAN, KERNELS(tanh))));
    CHECK(one(INFINITY, KERNELS(sigmoid)) == 1 && one(-INFINITY, KERNELS(sigmoid)) == 0);
    CHECK(isnan(one(NAN, KERNELS(sigmoid))));
    CHECK(one(INFINITY, KERNELS(erf)) == 1 && one(-INFINITY, KERNELS(erf)) == -1);
    CHECK(isnan(one(NAN, KERNELS(erf))));
    CHECK(one(INFINITY, KERNELS(softplus)) == INFINITY);
    CHECK(one(-INFINITY, KERNELS(softplus)) == 0);
    CHECK(isnan(one(NAN, KERNELS(softplus))));
    CHECK(one(INFINITY, KERNELS(gelu)) == INFINITY && isnan(one(NAN, KERNELS(gelu))));
    CHECK(one(-INFINITY, KERNELS(gelu)) == 0 && one(-30, KERNELS(gelu)) == 0);
    CHECK(isnan(one(INFINITY, KERNELS(sin))) && isnan(one(NAN, KERNELS(cos))));
    CHECK(one(0, KERNELS(cos)) == 1 && one(0, KERNELS(sin)) == 0);
}

static void doubles(void) {
    Trial t = {0};
    trial_in(&t, DTYPE_FLOAT64, shape_of(1, 500L));
    trial_out(&t, DTYPE_FLOAT64, shape_of(1, 500L));
    trial_fill(&t, 0, 5, 0.01, 5);
#define DOUBLE_CASE(name, op)                                                            \
    reference_op = op;                                                                   \
    trial_run(&t, KERNELS(name));                                                        \
    trial_expect(&t, 0, #name, 1e-15, float_reference);
    DOUBLE_CASE(exp, exp)
    DOUBLE_CASE(expm1, expm1)
    DOUBLE_CASE(log, log)
    DOUBLE_CASE(log1p, log1p)
    DOUBLE_CASE(tanh, tanh)
    DOUBLE_CASE(sigmoid, sigmoid_of)
    DOUBLE_CASE(erf, erf)
    DOUBLE_CASE(gelu, gelu_of)
    DOUBLE_CASE(softplus, softplus_of)
    DOUBLE_CASE(sin, sin)
    DOUBLE_CASE(cos, cos)
    trial_end(&t);
}

/* ---- cast ---- */

static double cast_one(DType from, DType to, double value) {
    Trial t = {0};
    dtype_store(from, trial_in(&t, from, shape_of(0)), value);
    trial_out(&t, to, shape_of(0));
    t.call.attrs.i[0] = to;
    trial_run(&t, KERNELS(cast));
    double result = trial_at(&t.out[0], 0);
    trial_end(&t);
    return result;
}

static void casting(void) {
    for (int from = 0; from < DTYPE_COUNT; from++) {
        for (int to = 0; to < DTYPE_COUNT; to++) {
            CHECK(cast_one((DType)from, (DType)to, 1) == 1);
            CHECK(cast_one((DType)from, (DType)to, 0) == 0);
            double much = from == DTYPE_BOOL ? 1 : 77;
            CHECK(cast_one((DType)from, (DType)to, much) ==
                  (to == DTYPE_BOOL ? 1 : much));
        }
    }
    for (int from = DTYPE_FLOAT32; from <= DTYPE_FLOAT64; from++) {
        DType f = (DType)from;
        CHECK(cast_one(f, DTYPE_INT32, -2.75) == -2);
        CHECK(cast_one(f, DTYPE_INT64, 2.75) == 2);
        CHECK(cast_one(f, DTYPE_BOOL, 0.25) == 1);
        CHECK(cast_one(f, DTYPE_BOOL, NAN) == 1);
        CHECK(cast_one(f, DTYPE_INT32, NAN) == 0);
        CHECK(cast_one(f, DTYPE_UINT8, 300) == 255 && cast_one(f, DTYPE_UINT8, -3) == 0);
        CHECK(cast_one(f, DTYPE_INT32, 1e20) == INT32_MAX);
        CHECK(cast_one(f, DTYPE_INT32, -INFINITY) == INT32_MIN);
        CHECK(cast_one(f, DTYPE_INT64, INFINITY) == 0x1p63);
        CHECK(cast_one(f, DTYPE_INT64, -1e30) == -0x1p63);
    }
    CHECK(cast_one(DTYPE_INT32, DTYPE_UINT8, -1) == 255);
    CHECK(cast_one(DTYPE_INT64, DTYPE_INT32, 0x1p32 + 5) == 5);
    CHECK(cast_one(DTYPE_FLOAT64, DTYPE_FLOAT32, 0.1) == (double)0.1f);
}

static void check_cast(DType from, double value, DType to, const char *message) {
    Trial t = {0};
    trial_in(&t, from, shape_of(1, 20000L));
    trial_out(&t, to, shape_of(1, 20000L));
    trial_fill(&t, 0, 3, 0, 100);
    for (int i = 0; i < 20000; i++) {
        char *at = (char *)t.in[0].data + (size_t)i * dtype_size(from);
        dtype_store(from, at, floor(dtype_load(from, at)));
    }
    dtype_store(from, (char *)t.in[0].data + 12345 * dtype_size(from), value);
    t.call.attrs.i[0] = to;
    t.call.attrs.i[1] = 1;
    trial_run(&t, KERNELS(cast));
    CHECK(t.fault.set == (message != NULL));
    if (message) CHECK_TEXT(t.fault.text, message);
    CHECK(trial_at(&t.out[0], 12344) == trial_at(&t.in[0], 12344));
    trial_end(&t);
}

static void checked_casts(void) {
    for (int from = DTYPE_FLOAT32; from <= DTYPE_FLOAT64; from++) {
        DType f = (DType)from;
        check_cast(f, 2.5, DTYPE_INT64, "index 2.5 at element 12346 is not an integer");
        check_cast(f, NAN, DTYPE_INT64, "index nan at element 12346 is not an integer");
        check_cast(f, INFINITY, DTYPE_INT64,
                   "index inf at element 12346 is out of range");
        check_cast(f, 1e30, DTYPE_INT64, "at element 12346 is out of range for int64");
        check_cast(f, 300, DTYPE_UINT8,
                   "index 300 at element 12346 is out of range for uint8");
        check_cast(f, -7, DTYPE_INT64, NULL);
        check_cast(f, 2.5, DTYPE_FLOAT64, NULL);
    }
    check_cast(DTYPE_INT32, 300, DTYPE_INT64, NULL);
}

TEST_MAIN(accuracy, angles, special_values, doubles, casting, checked_casts)
