/* Pooling and its gradients against plain loops: windows, strides and paddings along one,
 * two and three axes, ties and nan. */
#include "trial.h"

KERNEL_DECLARE(max_pool);
KERNEL_DECLARE(max_pool_grad);
KERNEL_DECLARE(max_pool_pick);
KERNEL_DECLARE(average_pool);
KERNEL_DECLARE(average_pool_grad);

typedef struct Problem {
    int axes;
    int64_t images, channels;
    int64_t size[3], window[3], stride[3], before[3], after[3];
} Problem;

static int64_t out_size(const Problem *p, int k) {
    return (p->size[k] + p->before[k] + p->after[k] - p->window[k]) / p->stride[k] + 1;
}

static Attrs attrs_of(const Problem *p) {
    Attrs a = {0};
    for (int k = 0; k < p->axes; k++) {
        a.i[k] = p->stride[k];
        a.i[3 + 2 * k] = p->before[k];
        a.i[4 + 2 * k] = p->after[k];
        a.i[9 + k] = p->window[k];
        a.i[12 + k] = p->size[k];
    }
    return a;
}

static Shape shape_with(const Problem *p, bool out) {
    Shape s = {.ndim = p->axes + 2, .dim = {p->images}};
    for (int k = 0; k < p->axes; k++) s.dim[1 + k] = out ? out_size(p, k) : p->size[k];
    s.dim[p->axes + 1] = p->channels;
    return s;
}

/* ---- plain loops ---- */

/* The elements of x in the window of element `at` of y, in order; how many. */
static int window_of(const Problem *p, int64_t at, int64_t element[64]) {
    int64_t place[3] = {0}, channel = at % p->channels, pixel = at / p->channels;
    int count = 0, all = 1;
    for (int k = p->axes - 1; k >= 0; k--) {
        place[k] = pixel % out_size(p, k);
        pixel /= out_size(p, k);
        all *= (int)p->window[k];
    }
    for (int n = 0; n < all; n++) {
        int64_t x = pixel, step = all;
        bool inside = true;
        for (int k = 0, left = n; k < p->axes; k++) {
            step /= p->window[k];
            int64_t i = place[k] * p->stride[k] - p->before[k] + left / step;
            left %= (int)step;
            inside = inside && i >= 0 && i < p->size[k];
            x = x * p->size[k] + i;
        }
        if (inside) element[count++] = x * p->channels + channel;
    }
    return count;
}

static int64_t argmax(const Operand *x, int n, const int64_t element[]) {
    int64_t best = element[0];
    for (int k = 1; k < n && !isnan(trial_at(x, best)); k++) {
        double value = trial_at(x, element[k]);
        if (isnan(value) || value > trial_at(x, best)) best = element[k];
    }
    return best;
}

static const Problem *problem_now;
static double *gradient;

/* Does the gradient count what has its maximum there? */
static bool admitted(const Trial *t, int64_t best) {
    return t->call.attrs.i[15] != 1 || trial_at(&t->in[0], best) > 0;
}

static double max_reference(const Trial *t, int64_t at) {
    int64_t element[64];
    int n = window_of(problem_now, at, element);
    int64_t best = argmax(&t->in[0], n, element);
    return admitted(t, best) ? trial_at(&t->in[t->call.n_in - 1], best) : 0;
}

static double mean_reference(const Trial *t, int64_t at) {
    int64_t element[64];
    int n = window_of(problem_now, at, element);
    double sum = 0;
    for (int k = 0; k < n; k++) sum += trial_at(&t->in[0], element[k]);
    return sum / n;
}

static double gradient_reference(const Trial *t, int64_t at) { return gradient[at]; }

static void fill_gradient(const Trial *t, bool max) {
    const Operand *dy = &t->in[t->call.n_in - 1];
    memset(gradient, 0, (size_t)t->out[0].size * sizeof *gradient);
    for (int64_t at = 0; at < dy->size; at++) {
        int64_t element[64];
        int n = window_of(problem_now, at, element);
        int64_t best = max ? argmax(&t->in[0], n, element) : 0;
        if (max && admitted(t, best)) gradient[best] += trial_at(dy, at);
        for (int k = 0; k < n && !max; k++) gradient[element[k]] += trial_at(dy, at) / n;
    }
}

/* ---- runs ---- */

/* x of few different numbers, so that there are ties, and one nan. */
static void fill_ties(Trial *t) {
    trial_fill(t, 0, 3, -2, 3);
    Operand *x = &t->in[0];
    for (int64_t i = 0; i < x->size; i++) {
        double value = i == 5 ? NAN : floor(trial_at(x, i));
        dtype_store(x->dtype, (char *)x->data + (size_t)i * dtype_size(x->dtype), value);
    }
}

static void try_max_gradients(const Problem *p, DType dtype, bool positive) {
    Shape x = shape_with(p, false), y = shape_with(p, true);
    Attrs attrs = attrs_of(p);
    attrs.i[15] = positive;
    Trial t = {.call = {.attrs = attrs}};
    trial_in(&t, dtype, x);
    trial_in(&t, dtype, x);
    trial_out(&t, dtype, y);
    fill_ties(&t);
    trial_fill(&t, 1, 4, -1, 1);
    trial_run(&t, KERNELS(max_pool_pick));
    trial_expect(&t, 0, "max_pool_pick", 0, max_reference);
    trial_end(&t);

    t = (Trial){.call = {.attrs = attrs}};
    trial_in(&t, dtype, x);
    trial_in(&t, dtype, y);
    trial_out(&t, dtype, x);
    fill_ties(&t);
    trial_fill(&t, 1, 5, -1, 1);
    fill_gradient(&t, true);
    trial_run(&t, KERNELS(max_pool_grad));
    trial_expect(&t, 0, "max_pool_grad", dtype == DTYPE_FLOAT32 ? 1e-6 : 1e-14,
                 gradient_reference);
    trial_end(&t);
}

static void try_max(const Problem *p, DType dtype) {
    Shape x = shape_with(p, false), y = shape_with(p, true);
    Trial t = {.call = {.attrs = attrs_of(p)}};
    trial_in(&t, dtype, x);
    trial_out(&t, dtype, y);
    fill_ties(&t);
    trial_run(&t, KERNELS(max_pool));
    trial_expect(&t, 0, "max_pool", 0, max_reference);
    trial_end(&t);
    try_max_gradients(p, dtype, false);
    try_max_gradients(p, dtype, true);
}

static void try_average(const Problem *p, DType dtype) {
    Shape x = shape_with(p, false), y = shape_with(p, true);
    double tolerance = dtype == DTYPE_FLOAT32 ? 1e-6 : 1e-14;
    Trial t = {.call = {.attrs = attrs_of(p)}};
    trial_in(&t, dtype, x);
    trial_out(&t, dtype, y);
    trial_fill(&t, 0, 6, -1, 1);
    trial_run(&t, KERNELS(average_pool));
    trial_expect(&t, 0, "average_pool", tolerance, mean_reference);
    trial_end(&t);

    t = (Trial){.call = {.attrs = attrs_of(p)}};
    trial_in(&t, dtype, y);
    trial_out(&t, dtype, x);
    trial_fill(&t, 0, 7, -1, 1);
    fill_gradient(&t, false);
    trial_run(&t, KERNELS(average_pool_grad));
    trial_expect(&t, 0, "average_pool_grad", tolerance, gradient_reference);
    trial_end(&t);
}

static const Problem problems[] = {
    {2, 3, 5, {6, 8}, {2, 2}, {2, 2}, {0}, {0}},
    {2, 2, 33, {7, 5}, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
    {2, 2, 7, {6, 7}, {3, 3}, {1, 2}, {1, 1}, {1, 1}},
    {2, 2, 3, {9, 9}, {2, 3}, {4, 3}, {1, 0}, {0, 2}},
    {2, 1, 600, {4, 4}, {2, 2}, {2, 2}, {0}, {0}},
    {2, 1, 9, {64, 64}, {2, 2}, {2, 2}, {0}, {0}},
    {1, 3, 4, {11}, {5}, {5}, {0}, {0}},
    {1, 3, 4, {11}, {3}, {1}, {1}, {1}},
    {1, 1, 40, {501}, {4}, {7}, {2}, {3}},
    {3, 2, 3, {4, 5, 6}, {2, 2, 2}, {2, 2, 2}, {0, 0, 0}, {0, 1, 0}},
    {3, 1, 5, {2, 70, 20}, {2, 1, 2}, {2, 1, 2}, {0}, {0}},
    {3, 2, 2, {3, 4, 3}, {3, 3, 2}, {1, 1, 1}, {1, 1, 1}, {1, 1, 0}},
    {2, 2, 1, {1, 1}, {1, 1}, {1, 1}, {0}, {0}},
    {2, 0, 4, {4, 4}, {2, 2}, {2, 2}, {0}, {0}},
};

static void each_problem(void (*try)(const Problem *, DType)) {
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++) {
        Shape x = shape_with(&problems[k], false);
        problem_now = &problems[k];
        gradient = mem_alloc((size_t)(shape_size(&x) + 1) * sizeof *gradient);
        if (!gradient) abort();
        try(&problems[k], DTYPE_FLOAT32);
        try(&problems[k], DTYPE_FLOAT64);
        mem_free(gradient);
    }
}

static void maxima(void) { each_problem(try_max); }
static void averages(void) { each_problem(try_average); }

TEST_MAIN(maxima, averages)
