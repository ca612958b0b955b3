/* Softmax and the losses built on it, against plain doubles. */
#include "trial.h"

KERNEL_DECLARE(softmax);
KERNEL_DECLARE(log_softmax);
KERNEL_DECLARE(sparse_softmax_crossentropy);
KERNEL_DECLARE(softmax_crossentropy);

static int64_t classes_of(const Trial *t) {
    const Shape *shape = &t->in[0].shape;
    return shape->dim[shape->ndim - 1];
}

/* log(sum(e^x)) of a row, in doubles. */
static double row_logsumexp(const Trial *t, int64_t row) {
    int64_t n = classes_of(t);
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < n; k++) most = fmax(most, trial_at(&t->in[0], row * n + k));
    for (int64_t k = 0; k < n; k++) sum += exp(trial_at(&t->in[0], row * n + k) - most);
    return most + log(sum);
}

/* Those of all rows; made anew for each trial. */
static double *logsumexps;

static void start(const Trial *t) {
    int64_t rows = classes_of(t) ? t->in[0].size / classes_of(t) : 0;
    logsumexps = realloc(logsumexps, (size_t)(rows + 1) * sizeof *logsumexps);
    for (int64_t row = 0; row < rows; row++) logsumexps[row] = row_logsumexp(t, row);
}

/* log(softmax) of class c of a row. */
static double log_of_class(const Trial *t, int64_t row, int64_t c) {
    return trial_at(&t->in[0], row * classes_of(t) + c) - logsumexps[row];
}

static double log_softmax_reference(const Trial *t, int64_t at) {
    return log_of_class(t, at / classes_of(t), at % classes_of(t));
}

static double softmax_reference(const Trial *t, int64_t at) {
    return exp(log_softmax_reference(t, at));
}

static const Shape shapes[] = {{1, {1}},        {1, {5}},       {2, {128, 10}},
                               {2, {1000, 2}},  {2, {3, 31}},   {2, {3, 32}},
                               {2, {50, 63}},   {2, {9, 64}},   {3, {4, 7, 65}},
                               {2, {30, 1000}}, {2, {2, 9001}}, {2, {0, 4}}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void probabilities(void) {
    for (int k = 0; k < SHAPES; k++) {
        for (int d = DTYPE_FLOAT32; d <= DTYPE_FLOAT64; d++) {
            Trial t = {0};
            double tolerance = d == DTYPE_FLOAT32 ? 1e-6 : 1e-14;
            trial_in(&t, (DType)d, shapes[k]);
            trial_out(&t, (DType)d, shapes[k]);
            trial_fill(&t, 0, (uint64_t)k, -20, 20);
            start(&t);
            trial_run(&t, KERNELS(softmax));
            trial_expect(&t, 0, "softmax", tolerance, softmax_reference);
            trial_run(&t, KERNELS(log_softmax));
            trial_expect(&t, 0, "log_softmax", tolerance, log_softmax_reference);
            trial_end(&t);
        }
    }
}

static void extremes(void) {
    static const int64_t widths[] = {10, 100};
    for (int w = 0; w < 2; w++) {
        int64_t n = widths[w];
        Trial t = {0};
        float *x = trial_in(&t, DTYPE_FLOAT32, shape_of(2, 3L, n));
        float *y = trial_out(&t, DTYPE_FLOAT32, shape_of(2, 3L, n));
        for (int64_t i = 0; i < n; i++) {
            x[i] = i == 3 ? 1e30f : -1e30f;
            x[n + i] = i == 4 ? NAN : (float)i;
            x[2 * n + i] = i == 5 ? -INFINITY : 1;
        }
        trial_run(&t, KERNELS(softmax));
        CHECK(y[3] == 1 && y[4] == 0);
        CHECK(isnan(y[n]) && isnan(y[n + 4]) && isnan(y[2 * n - 1]));
        CHECK(y[2 * n + 5] == 0);
        CHECK_NEAR(y[2 * n], 1.0 / (double)(n - 1), 1e-6);
        trial_end(&t);
    }
}

/* ---- losses; f of a row's probabilities ---- */

static double limited_log(double log_p, bool clip) {
    return clip ? log(fmin(fmax(exp(log_p), 1e-7), 1 - 1e-7)) : log_p;
}

static double sparse_reference(const Trial *t, int64_t row) {
    int64_t label = ((int64_t *)t->in[1].data)[row];
    if (t->call.attrs.i[1] && label == t->call.attrs.i[2]) return 0;
    return -limited_log(log_of_class(t, row, label), t->call.attrs.i[0]);
}

static double dense_reference(const Trial *t, int64_t row) {
    double loss = 0;
    for (int64_t c = 0, n = classes_of(t); c < n; c++) {
        double weight = trial_at(&t->in[1], row * n + c);
        loss -= weight * limited_log(log_of_class(t, row, c), t->call.attrs.i[0]);
    }
    return loss;
}

static Shape rows_of(Shape shape) {
    shape.ndim--;
    return shape;
}

static void sparse_losses(void) {
    for (int k = 0; k < SHAPES; k++) {
        for (int mode = 0; mode < 8; mode++) {
            Trial t = {0};
            DType d = mode & 4 ? DTYPE_FLOAT64 : DTYPE_FLOAT32;
            trial_in(&t, d, shapes[k]);
            trial_in(&t, DTYPE_INT64, rows_of(shapes[k]));
            trial_out(&t, d, rows_of(shapes[k]));
            trial_out(&t, d, shapes[k]);
            trial_fill(&t, 0, (uint64_t)k, -15, 15);
            start(&t);
            trial_fill(&t, 1, (uint64_t)k, 0, (double)classes_of(&t));
            t.call.attrs.i[0] = mode & 1;
            t.call.attrs.i[1] = mode >> 1 & 1;
            t.call.attrs.i[2] = -1;
            if (t.call.attrs.i[1] && t.in[1].size) *(int64_t *)t.in[1].data = -1;
            trial_run(&t, KERNELS(sparse_softmax_crossentropy));
            CHECK(!t.fault.set);
            /* -log(1 - 1e-7) has few bits in float. */
            trial_expect(&t, 0, "loss", d == DTYPE_FLOAT32 ? 2e-6 : 1e-12,
                         sparse_reference);
            trial_expect(&t, 1, "softmax", 1e-6, softmax_reference);
            trial_end(&t);
        }
    }
}

static void dense_losses(void) {
    for (int k = 0; k < SHAPES; k++) {
        for (int mode = 0; mode < 4; mode++) {
            Trial t = {0};
            DType d = mode & 2 ? DTYPE_FLOAT64 : DTYPE_FLOAT32;
            trial_in(&t, d, shapes[k]);
            trial_in(&t, d, shapes[k]);
            trial_out(&t, d, rows_of(shapes[k]));
            trial_out(&t, d, shapes[k]);
            trial_fill(&t, 0, (uint64_t)k, -15, 15);
            start(&t);
            trial_fill(&t, 1, (uint64_t)k + 50, 0, 1);
            t.call.attrs.i[0] = mode & 1;
            trial_run(&t, KERNELS(softmax_crossentropy));
            trial_expect(&t, 0, "dense loss", d == DTYPE_FLOAT32 ? 3e-6 : 1e-12,
                         dense_reference);
            trial_expect(&t, 1, "softmax", 1e-6, softmax_reference);
            trial_end(&t);
        }
    }
}

/* A class of weight 0 whose logit is -inf costs nothing. */
static void impossible_class(void) {
    Trial t = {0};
    float *z = trial_in(&t, DTYPE_FLOAT32, shape_of(2, 1L, 3L));
    float *w = trial_in(&t, DTYPE_FLOAT32, shape_of(2, 1L, 3L));
    float *loss = trial_out(&t, DTYPE_FLOAT32, shape_of(1, 1L));
    trial_out(&t, DTYPE_FLOAT32, shape_of(2, 1L, 3L));
    z[0] = 1, z[1] = 1, z[2] = -INFINITY;
    w[0] = 1, w[1] = w[2] = 0;
    trial_run(&t, KERNELS(softmax_crossentropy));
    CHECK_NEAR(*loss, log(2), 1e-6);
    trial_end(&t);
}

static void bad_labels(void) {
    Trial t = {0};
    trial_in(&t, DTYPE_FLOAT32, shape_of(2, 2000L, 10L));
    int64_t *labels = trial_in(&t, DTYPE_INT64, shape_of(1, 2000L));
    float *loss = trial_out(&t, DTYPE_FLOAT32, shape_of(1, 2000L));
    trial_out(&t, DTYPE_FLOAT32, shape_of(2, 2000L, 10L));
    trial_fill(&t, 0, 1, -1, 1);
    trial_fill(&t, 1, 2, 0, 10);
    labels[1500] = 12;
    labels[900] = -3;
    labels[1999] = 10;
    trial_run(&t, KERNELS(sparse_softmax_crossentropy));
    CHECK_TEXT(t.fault.text, "label -3 at row 901 is out of range for 10 classes");
    CHECK(loss[900] == 0 && loss[1500] == 0 && loss[0] > 0);
    labels[900] = 0;
    trial_run(&t, KERNELS(sparse_softmax_crossentropy));
    CHECK_TEXT(t.fault.text, "label 12 at row 1501 is out of range for 10 classes");
    trial_end(&t);
}

TEST_MAIN(probabilities, extremes, sparse_losses, dense_losses, impossible_class,
          bad_labels)
