/* Elementwise kernels against plain references: broadcasting, dtypes, special values. */
#include "trial.h"

KERNEL_DECLARE(add);
KERNEL_DECLARE(sub);
KERNEL_DECLARE(mul);
KERNEL_DECLARE(div);
KERNEL_DECLARE(maximum);
KERNEL_DECLARE(minimum);
KERNEL_DECLARE(pow);
KERNEL_DECLARE(floordiv);
KERNEL_DECLARE(mod);
KERNEL_DECLARE(lt);
KERNEL_DECLARE(ge);
KERNEL_DECLARE(eq);
KERNEL_DECLARE(ne);
KERNEL_DECLARE(le);
KERNEL_DECLARE(gt);
KERNEL_DECLARE(and_);
KERNEL_DECLARE(or_);
KERNEL_DECLARE(not_);
KERNEL_DECLARE(where);
KERNEL_DECLARE(neg);
KERNEL_DECLARE(abs);
KERNEL_DECLARE(sign);
KERNEL_DECLARE(square);
KERNEL_DECLARE(relu);
KERNEL_DECLARE(floor);
KERNEL_DECLARE(ceil);
KERNEL_DECLARE(round);
KERNEL_DECLARE(clip);
KERNEL_DECLARE(isfinite);
KERNEL_DECLARE(sqrt);
KERNEL_DECLARE(rsqrt);
KERNEL_DECLARE(reciprocal);
KERNEL_DECLARE(identity);

static double (*scalar_op)(double a, double b);

static double broadcast_reference(const Trial *t, int64_t at) {
    const Shape *out = &t->out[0].shape;
    double a = trial_at(&t->in[0], trial_source(out, &t->in[0].shape, at));
    double b = trial_at(&t->in[1], trial_source(out, &t->in[1].shape, at));
    return scalar_op(a, b);
}

static double sub_of(double a, double b) { return a - b; }
static double lt_of(double a, double b) { return a < b; }
static double add_of(double a, double b) { return a + b; }
static double mul_of(double a, double b) { return a * b; }
static double div_of(double a, double b) { return a / b; }

/* Pairs of shapes that meet every way of walking: same, scalar, row, column, both,
 * neither. */
static const Shape shapes[][2] = {
    {{0}, {0}},
    {{1, {8}}, {1, {8}}},
    {{2, {130, 257}}, {2, {130, 257}}},
    {{2, {130, 257}}, {0}},
    {{0}, {2, {130, 257}}},
    {{2, {130, 257}}, {1, {257}}},
    {{2, {130, 257}}, {2, {130, 1}}},
    {{2, {130, 1}}, {2, {1, 257}}},
    {{2, {1, 257}}, {2, {130, 1}}},
    {{4, {3, 5, 7, 9}}, {4, {3, 1, 7, 1}}},
    {{4, {3, 1, 7, 1}}, {4, {1, 5, 1, 9}}},
    {{5, {2, 3, 4, 5, 6}}, {3, {4, 1, 6}}},
    {{8, {2, 1, 3, 1, 2, 1, 3, 1}}, {8, {1, 2, 1, 3, 1, 2, 1, 3}}},
    {{2, {1, 1}}, {3, {1, 1, 1}}},
    {{2, {4, 0}}, {2, {1, 1}}},
    {{2, {20000, 3}}, {1, {3}}},
};

static void make_pair(Trial *t, DType in, DType out, size_t k) {
    Shape both;
    CHECK(shape_broadcast(&shapes[k][0], &shapes[k][1], &both, NULL));
    trial_in(t, in, shapes[k][0]);
    trial_in(t, in, shapes[k][1]);
    trial_out(t, out, both);
    trial_fill(t, 0, 2 * k + 1, -50, 50);
    trial_fill(t, 1, 2 * k + 2, -50, 50);
}

static void broadcasting(void) {
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        Trial t = {0};
        make_pair(&t, DTYPE_FLOAT32, DTYPE_FLOAT32, k);
        scalar_op = sub_of;
        trial_run(&t, KERNELS(sub));
        trial_expect(&t, 0, "sub", 1e-6, broadcast_reference);
        trial_end(&t);
        make_pair(&t, DTYPE_INT64, DTYPE_BOOL, k);
        scalar_op = lt_of;
        trial_run(&t, KERNELS(lt));
        trial_expect(&t, 0, "lt", 0, broadcast_reference);
        trial_end(&t);
        make_pair(&t, DTYPE_FLOAT64, DTYPE_FLOAT64, k);
        scalar_op = div_of;
        trial_run(&t, KERNELS(div));
        trial_expect(&t, 0, "div", 1e-15, broadcast_reference);
        trial_end(&t);
    }
}

static void arithmetic_by_dtype(void) {
    static const DType dtypes[] = {DTYPE_INT32, DTYPE_INT64, DTYPE_FLOAT32,
                                   DTYPE_FLOAT64};
    for (int k = 0; k < 4; k++) {
        Trial t = {0};
        make_pair(&t, dtypes[k], dtypes[k], 5);
        scalar_op = add_of;
        trial_run(&t, KERNELS(add));
        trial_expect(&t, 0, "add", 1e-6, broadcast_reference);
        scalar_op = mul_of;
        trial_run(&t, KERNELS(mul));
        trial_expect(&t, 0, "mul", 1e-6, broadcast_reference);
        scalar_op = fmax;
        trial_run(&t, KERNELS(maximum));
        trial_expect(&t, 0, "maximum", 0, broadcast_reference);
        scalar_op = fmin;
        trial_run(&t, KERNELS(minimum));
        trial_expect(&t, 0, "minimum", 0, broadcast_reference);
        trial_end(&t);
    }
}

/* The output takes the memory of each input in turn. */
static void in_place(void) {
    for (int alias = 1; alias <= 2; alias++) {
        Trial t = {0};
        make_pair(&t, DTYPE_FLOAT32, DTYPE_FLOAT32, 2);
        t.alias[0] = alias;
        scalar_op = sub_of;
        trial_run(&t, KERNELS(sub));
        trial_expect(&t, 0, "sub in place", 1e-6, broadcast_reference);
        trial_end(&t);
    }
    Trial t = {0};
    make_pair(&t, DTYPE_FLOAT32, DTYPE_FLOAT32, 5);
    t.alias[0] = 1;
    trial_run(&t, KERNELS(sub));
    trial_expect(&t, 0, "sub of a row in place", 1e-6, broadcast_reference);
    trial_end(&t);
}

/* Two numbers of one dtype through a binary kernel. */
static double pair(DType dtype, DType result, double a, double b, Trial *t,
                   const char *name, const Kernel *const kernels[]) {
    trial_end(t);
    dtype_store(dtype, trial_in(t, dtype, shape_of(0)), a);
    dtype_store(dtype, trial_in(t, dtype, shape_of(0)), b);
    trial_out(t, result, shape_of(0));
    trial_run(t, name, kernels);
    return trial_at(&t->out[0], 0);
}

static void wrapping(void) {
    Trial t = {0};
    const DType i32 = DTYPE_INT32, u8 = DTYPE_UINT8;
    CHECK(pair(i32, i32, INT32_MAX, 1, &t, KERNELS(add)) == INT32_MIN);
    CHECK(pair(i32, i32, INT32_MIN, 1, &t, KERNELS(sub)) == INT32_MAX);
    CHECK(pair(i32, i32, 65536, 65536, &t, KERNELS(mul)) == 0);
    CHECK(pair(u8, u8, 200, 100, &t, KERNELS(add)) == 44);
    CHECK(pair(u8, u8, 1, 2, &t, KERNELS(sub)) == 255);
    CHECK(pair(i32, i32, INT32_MIN, -1, &t, KERNELS(floordiv)) == INT32_MIN);
    CHECK(pair(i32, i32, INT32_MIN, -1, &t, KERNELS(mod)) == 0);
    trial_end(&t);
}

static void division(void) {
    Trial t = {0};
    static const DType dtypes[] = {DTYPE_INT32, DTYPE_INT64, DTYPE_FLOAT32,
                                   DTYPE_FLOAT64};
    for (int k = 0; k < 4; k++) {
        DType d = dtypes[k];
        CHECK(pair(d, d, 7, 2, &t, KERNELS(floordiv)) == 3);
        CHECK(pair(d, d, -7, 2, &t, KERNELS(floordiv)) == -4);
        CHECK(pair(d, d, 7, -2, &t, KERNELS(floordiv)) == -4);
        CHECK(pair(d, d, -6, 2, &t, KERNELS(floordiv)) == -3);
        CHECK(pair(d, d, 7, 3, &t, KERNELS(mod)) == 1);
        CHECK(pair(d, d, -7, 3, &t, KERNELS(mod)) == 2);
        CHECK(pair(d, d, 7, -3, &t, KERNELS(mod)) == -2);
        CHECK(pair(d, d, -6, 3, &t, KERNELS(mod)) == 0);
        CHECK(!t.fault.set);
    }
    CHECK(pair(DTYPE_FLOAT32, DTYPE_FLOAT32, 5, INFINITY, &t, KERNELS(mod)) == 5);
    CHECK(isinf(pair(DTYPE_FLOAT32, DTYPE_FLOAT32, 1, 0, &t, KERNELS(floordiv))));
    CHECK(pair(DTYPE_INT32, DTYPE_INT32, 5, 0, &t, KERNELS(mod)) == 0);
    CHECK(t.fault.set);
    trial_end(&t);
    /* The first zero is reported, though parts run in any order. */
    int64_t *a = trial_in(&t, DTYPE_INT64, shape_of(1, 30000L));
    int64_t *b = trial_in(&t, DTYPE_INT64, shape_of(1, 30000L));
    int64_t *y = trial_out(&t, DTYPE_INT64, shape_of(1, 30000L));
    for (int i = 0; i < 30000; i++) a[i] = i, b[i] = 3;
    b[9000] = b[29000] = 0;
    trial_run(&t, KERNELS(floordiv));
    CHECK_TEXT(t.fault.text, "integer division by zero at element 9001");
    CHECK(y[8999] == 2999 && y[9000] == 0 && y[9001] == 3000);
    trial_end(&t);
}

static void nan_rules(void) {
    Trial t = {0};
    static const DType dtypes[] = {DTYPE_FLOAT32, DTYPE_FLOAT64};
    for (int k = 0; k < 2; k++) {
        DType d = dtypes[k];
        CHECK(isnan(pair(d, d, NAN, 1, &t, KERNELS(maximum))));
        CHECK(isnan(pair(d, d, 1, NAN, &t, KERNELS(maximum))));
        CHECK(isnan(pair(d, d, NAN, 1, &t, KERNELS(minimum))));
        CHECK(isnan(pair(d, d, 1, NAN, &t, KERNELS(minimum))));
        CHECK(pair(d, DTYPE_BOOL, NAN, NAN, &t, KERNELS(eq)) == 0);
        CHECK(pair(d, DTYPE_BOOL, NAN, NAN, &t, KERNELS(ne)) == 1);
        CHECK(pair(d, DTYPE_BOOL, NAN, 1, &t, KERNELS(ge)) == 0);
        CHECK(pair(d, DTYPE_BOOL, 1, 1, &t, KERNELS(le)) == 1);
        CHECK(pair(d, DTYPE_BOOL, 1, 1, &t, KERNELS(gt)) == 0);
        CHECK(pair(d, d, -2, 3, &t, KERNELS(pow)) == -8);
        CHECK(pair(d, d, 0, 0, &t, KERNELS(pow)) == 1);
        CHECK(isnan(pair(d, d, -2, 0.5, &t, KERNELS(pow))));
    }
    trial_end(&t);
}

static double pow_of(double a, double b) { return pow(a, b); }

static void powers(void) {
    Trial t = {0};
    trial_in(&t, DTYPE_FLOAT32, shape_of(1, 1000L));
    trial_in(&t, DTYPE_FLOAT32, shape_of(1, 1000L));
    trial_out(&t, DTYPE_FLOAT32, shape_of(1, 1000L));
    trial_fill(&t, 0, 3, 0, 20);
    trial_fill(&t, 1, 4, -8, 8);
    scalar_op = pow_of;
    trial_run(&t, KERNELS(pow));
    trial_expect(&t, 0, "pow", 3e-7, broadcast_reference);
    trial_end(&t);
    trial_in(&t, DTYPE_FLOAT32, shape_of(1, 100L));
    trial_number(&t, 2);
    trial_out(&t, DTYPE_FLOAT32, shape_of(1, 100L));
    trial_fill(&t, 0, 3, -20, 20);
    trial_run(&t, KERNELS(pow));
    trial_expect(&t, 0, "pow 2", 1e-7, broadcast_reference);
    trial_end(&t);
}

static double where_reference(const Trial *t, int64_t at) {
    const Shape *out = &t->out[0].shape;
    bool yes = trial_at(&t->in[0], trial_source(out, &t->in[0].shape, at)) != 0;
    const Operand *chosen = &t->in[yes ? 1 : 2];
    return trial_at(chosen, trial_source(out, &chosen->shape, at));
}

static void choosing(void) {
    static const Shape three[][3] = {
        {{1, {5000}}, {1, {5000}}, {1, {5000}}},
        {{1, {500}}, {0}, {0}},
        {{1, {500}}, {1, {500}}, {0}},
        {{1, {500}}, {0}, {1, {500}}},
        {{2, {40, 1}}, {2, {40, 30}}, {2, {1, 30}}},
        {{2, {40, 1}}, {2, {1, 30}}, {0}},
        {{2, {40, 1}}, {0}, {2, {40, 30}}},
        {{0}, {2, {4, 3}}, {1, {3}}},
    };
    static const DType dtypes[] = {DTYPE_UINT8, DTYPE_FLOAT32, DTYPE_INT64};
    for (size_t k = 0; k < sizeof three / sizeof *three; k++) {
        for (int d = 0; d < 3; d++) {
            Trial t = {0};
            Shape both, all;
            CHECK(shape_broadcast(&three[k][0], &three[k][1], &both, NULL));
            CHECK(shape_broadcast(&both, &three[k][2], &all, NULL));
            trial_in(&t, DTYPE_BOOL, three[k][0]);
            trial_in(&t, dtypes[d], three[k][1]);
            trial_in(&t, dtypes[d], three[k][2]);
            trial_out(&t, dtypes[d], all);
            for (int in = 0; in < 3; in++) trial_fill(&t, in, 3 * k + (size_t)in, 0, 100);
            trial_run(&t, KERNELS(where));
            trial_expect(&t, 0, "where", 0, where_reference);
            trial_end(&t);
        }
    }
}

static void logic(void) {
    Trial t = {0};
    const DType b = DTYPE_BOOL;
    for (int x = 0; x < 2; x++) {
        for (int y = 0; y < 2; y++) {
            CHECK(pair(b, b, x, y, &t, KERNELS(and_)) == (x && y));
            CHECK(pair(b, b, x, y, &t, KERNELS(or_)) == (x || y));
        }
        trial_end(&t);
        *(uint8_t *)trial_in(&t, b, shape_of(0)) = (uint8_t)x;
        trial_out(&t, b, shape_of(0));
        trial_run(&t, KERNELS(not_));
        CHECK(trial_at(&t.out[0], 0) == !x);
    }
    trial_end(&t);
}

static double (*unary_op)(double x);
static double unary_reference(const Trial *t, int64_t at) {
    return unary_op(trial_at(&t->in[0], at));
}

static double neg_of(double x) { return -x; }
static double sign_of(double x) { return isnan(x) ? x : (x > 0) - (x < 0); }
static double square_of(double x) { return x * x; }
static double relu_of(double x) { return x < 0 ? 0 : x; }
static double finite_of(double x) { return isfinite(x); }
static double rsqrt_of(double x) { return 1 / sqrt(x); }
static double reciprocal_of(double x) { return 1 / x; }

static void run_unary(DType in, DType out, double (*op)(double), const char *name,
                      const Kernel *const kernels[], double tolerance) {
    static const double special[] = {0,    -0.0, 0.5,   -0.5,     1.5,       -1.5, 2.5,
                                     -2.5, 1e10, -1e10, INFINITY, -INFINITY, NAN};
    Trial t = {0};
    trial_in(&t, in, shape_of(1, 10007L));
    trial_out(&t, out, shape_of(1, 10007L));
    trial_fill(&t, 0, 9, in == DTYPE_UINT8 ? 0 : -15, 15);
    if (dtype_is_float(in))
        for (size_t k = 0; k < sizeof special / sizeof *special; k++)
            dtype_store(in, (char *)t.in[0].data + k * dtype_size(in), special[k]);
    unary_op = op;
    trial_run(&t, name, kernels);
    trial_expect(&t, 0, name, tolerance, unary_reference);
    t.alias[0] = in == out;
    trial_run(&t, name, kernels);
    trial_expect(&t, 0, name, tolerance, unary_reference);
    trial_end(&t);
}

static void unary(void) {
    static const DType dtypes[] = {DTYPE_INT32, DTYPE_INT64, DTYPE_FLOAT32,
                                   DTYPE_FLOAT64};
    for (int k = 0; k < 4; k++) {
        DType d = dtypes[k];
        run_unary(d, d, neg_of, KERNELS(neg), 0);
        run_unary(d, d, fabs, KERNELS(abs), 0);
        run_unary(d, d, sign_of, KERNELS(sign), 0);
        run_unary(d, d, square_of, KERNELS(square), 1e-6);
        run_unary(d, d, relu_of, KERNELS(relu), 0);
        run_unary(d, d, floor, KERNELS(floor), 0);
        run_unary(d, d, ceil, KERNELS(ceil), 0);
        run_unary(d, d, nearbyint, KERNELS(round), 0);
        run_unary(d, DTYPE_BOOL, finite_of, KERNELS(isfinite), 0);
        run_unary(d, d, fabs, KERNELS(abs), 0);
    }
    run_unary(DTYPE_UINT8, DTYPE_UINT8, relu_of, KERNELS(relu), 0);
    run_unary(DTYPE_UINT8, DTYPE_UINT8, sign_of, KERNELS(sign), 0);
    for (int k = 2; k < 4; k++) {
        run_unary(dtypes[k], dtypes[k], sqrt, KERNELS(sqrt), 2e-7);
        run_unary(dtypes[k], dtypes[k], rsqrt_of, KERNELS(rsqrt), 2e-7);
        run_unary(dtypes[k], dtypes[k], reciprocal_of, KERNELS(reciprocal), 2e-7);
    }
    for (int d = 0; d < DTYPE_COUNT; d++) {
        Trial t = {0};
        trial_in(&t, (DType)d, shape_of(1, 20000L));
        trial_out(&t, (DType)d, shape_of(1, 20000L));
        trial_fill(&t, 0, 1, 0, 100);
        trial_run(&t, KERNELS(identity));
        CHECK(!memcmp(t.in[0].data, t.out[0].data, trial_bytes(&t.in[0])));
        trial_end(&t);
    }
}

static double low, high;
static double clip_of(double x) {
    return isnan(x) ? x : fmin(fmax(x, ceil(low)), floor(high));
}
static double clip_float_of(double x) { return isnan(x) ? x : fmin(fmax(x, low), high); }

static void clipping(void) {
    static const double limits[][2] = {{-3, 4},       {-2.5, 7.5},     {-INFINITY, 2},
                                       {0, INFINITY}, {-1e300, 1e300}, {5, -5}};
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        for (int d = DTYPE_INT32; d <= DTYPE_FLOAT64; d++) {
            Trial t = {0};
            trial_in(&t, (DType)d, shape_of(1, 1000L));
            trial_out(&t, (DType)d, shape_of(1, 1000L));
            trial_fill(&t, 0, 5, -15, 15);
            if (dtype_is_float((DType)d)) dtype_store((DType)d, t.in[0].data, NAN);
            t.call.attrs.f[0] = low = limits[k][0];
            t.call.attrs.f[1] = high = limits[k][1];
            unary_op = dtype_is_float((DType)d) ? clip_float_of : clip_of;
            trial_run(&t, KERNELS(clip));
            trial_expect(&t, 0, "clip", 0, unary_reference);
            trial_end(&t);
        }
    }
}

TEST_MAIN(broadcasting, arithmetic_by_dtype, in_place, wrapping, division, nan_rules,
          powers, choosing, logic, unary, clipping)
