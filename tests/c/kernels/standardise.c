/* standardise and its gradient against sums in double, on every instruction set. */
#include <math.h>
#include "trial.h"

KERNEL_DECLARE(standardise);
KERNEL_DECLARE(standardise_grad);

typedef struct Problem {
    Shape shape;
    int first, count; /* the axes */
} Problem;

static const Problem problems[] = {
    {{.ndim = 2, .dim = {5, 1}}, 1, 1},        {{.ndim = 2, .dim = {5, 7}}, 1, 1},
    {{.ndim = 3, .dim = {3, 40, 70}}, 1, 2},   {{.ndim = 2, .dim = {900, 19}}, 1, 1},
    {{.ndim = 2, .dim = {1, 70}}, 0, 1},       {{.ndim = 2, .dim = {700, 3}}, 0, 1},
    {{.ndim = 4, .dim = {4, 9, 8, 65}}, 0, 3}, {{.ndim = 3, .dim = {3, 50, 130}}, 1, 1},
    {{.ndim = 2, .dim = {40, 9000}}, 0, 1},    {{.ndim = 2, .dim = {0, 4}}, 1, 1},
};

static int64_t outer, length, inner;

static void split(const Problem *p) {
    outer = length = inner = 1;
    for (int k = 0; k < p->shape.ndim; k++)
        *(k < p->first              ? &outer
          : k < p->first + p->count ? &length
                                    : &inner) *= p->shape.dim[k];
}

/* The mean of f over the line that element `at` belongs to. */
static double mean_along(const Trial *t, int64_t at,
                         double (*f)(const Trial *t, int64_t at)) {
    int64_t start = at / (length * inner) * length * inner + at % inner;
    double sum = 0;
    for (int64_t k = 0; k < length; k++) sum += f(t, start + k * inner);
    return sum / (double)length;
}

static double value(const Trial *t, int64_t at) { return trial_at(&t->in[0], at); }
static double mean_now;
static double deviation(const Trial *t, int64_t at) {
    double apart = value(t, at) - mean_now;
    return apart * apart;
}

static double line_mean(const Trial *t, int64_t line) {
    return mean_along(t, line / inner * length * inner + line % inner, value);
}

static double line_variance(const Trial *t, int64_t line) {
    mean_now = line_mean(t, line);
    return mean_along(t, line / inner * length * inner + line % inner, deviation);
}

static int64_t line_of(int64_t at) { return at / (length * inner) * inner + at % inner; }

static double standard(const Trial *t, int64_t at) {
    double variance = line_variance(t, line_of(at));
    return (value(t, at) - mean_now) / sqrt(variance + t->call.attrs.f[0]);
}

static double slope(const Trial *t, int64_t at) { return trial_at(&t->in[2], at); }
static double product(const Trial *t, int64_t at) { return value(t, at) * slope(t, at); }

static double back(const Trial *t, int64_t at) {
    double root = sqrt(trial_at(&t->in[1], line_of(at)) + t->call.attrs.f[0]);
    return (slope(t, at) - mean_along(t, at, slope) -
            value(t, at) * mean_along(t, at, product)) /
           root;
}

static Shape statistics(const Problem *p) {
    Shape shape = p->shape;
    for (int k = 0; k < p->count; k++) shape.dim[p->first + k] = 1;
    return shape;
}

static void try(const Problem *p, DType dtype) {
    double tolerance = dtype == DTYPE_FLOAT32 ? 1e-5 : 1e-13;
    Call call = {.attrs = {.i = {p->first, p->count}, .f = {1e-3}}};
    Trial t = {.call = call};
    trial_in(&t, dtype, p->shape);
    trial_out(&t, dtype, p->shape);
    trial_out(&t, dtype, statistics(p));
    trial_out(&t, dtype, statistics(p));
    trial_fill(&t, 0, 3, 1, 3);
    trial_run(&t, KERNELS(standardise));
    trial_expect(&t, 0, "standardise", tolerance, standard);
    trial_expect(&t, 1, "standardise, mean", tolerance, line_mean);
    trial_expect(&t, 2, "standardise, variance", tolerance, line_variance);
    trial_end(&t);

    t = (Trial){.call = call};
    trial_in(&t, dtype, p->shape);
    trial_in(&t, dtype, statistics(p));
    trial_in(&t, dtype, p->shape);
    trial_out(&t, dtype, p->shape);
    trial_fill(&t, 0, 4, -2, 2);
    trial_fill(&t, 1, 5, 0.5, 2);
    trial_fill(&t, 2, 6, -1, 1);
    trial_run(&t, KERNELS(standardise_grad));
    trial_expect(&t, 0, "standardise_grad", tolerance, back);
    trial_end(&t);
}

static void agrees_with_plain_sums(void) {
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++) {
        split(&problems[k]);
        try(&problems[k], DTYPE_FLOAT32);
        try(&problems[k], DTYPE_FLOAT64);
    }
}

TEST_MAIN(agrees_with_plain_sums)
