/* The optimizers' updates against the formulas in doubles, over several steps, in
 * place as a training step runs them; and Keras's own one-step numbers. */
#include "trial.h"

KERNEL_DECLARE(sgd_update);
KERNEL_DECLARE(momentum_update);
KERNEL_DECLARE(rmsprop_update);
KERNEL_DECLARE(adam_update);

enum { N = 20003 };

static double *expected;
static double expected_at(const Trial *t, int64_t at) { return expected[at]; }

static void add_vector(Trial *t, int64_t n, uint64_t seed, double low, double high) {
    trial_in(t, DTYPE_FLOAT32, shape_of(1, n));
    trial_fill(t, t->call.n_in - 1, seed, low, high);
}

static float at(const Trial *t, int operand, int64_t i) {
    return ((const float *)t->in[operand].data)[i];
}

/* Output k takes the memory of input k. */
static void in_place(Trial *t, bool on) {
    for (int k = 0; k < t->call.n_out; k++) t->alias[k] = on ? k + 1 : 0;
}

static void expect(const Trial *t, int output, const char *what, const double *values) {
    expected = (double *)values;
    trial_expect(t, output, what, 2e-6, expected_at);
}

static double p_want[N], m_want[N], v_want[N], a_want[N];

static void sgd(void) {
    for (int alias = 0; alias < 2; alias++) {
        Trial t = {0};
        add_vector(&t, N, 1, -1, 1);
        add_vector(&t, N, 2, -1, 1);
        trial_number(&t, 0.1f);
        trial_out(&t, DTYPE_FLOAT32, shape_of(1, (int64_t)N));
        in_place(&t, alias);
        trial_run(&t, KERNELS(sgd_update));
        for (int i = 0; i < N; i++) p_want[i] = at(&t, 0, i) - 0.1 * at(&t, 1, i);
        expect(&t, 0, "sgd", p_want);
        trial_end(&t);
    }
}

static void momentum(void) {
    for (int mode = 0; mode < 4; mode++) {
        Trial t = {0};
        bool nesterov = mode & 1;
        for (int k = 0; k < 3; k++) add_vector(&t, N, (uint64_t)k, -1, 1);
        trial_number(&t, 0.1f);
        trial_number(&t, 0.9f);
        for (int k = 0; k < 2; k++) trial_out(&t, DTYPE_FLOAT32, shape_of(1, (int64_t)N));
        in_place(&t, mode & 2);
        t.call.attrs.i[0] = nesterov;
        trial_run(&t, KERNELS(momentum_update));
        for (int i = 0; i < N; i++) {
            double step = 0.1 * at(&t, 2, i);
            m_want[i] = 0.9 * at(&t, 1, i) - step;
            p_want[i] = at(&t, 0, i) + (nesterov ? 0.9 * m_want[i] - step : m_want[i]);
        }
        expect(&t, 0, "momentum p", p_want);
        expect(&t, 1, "momentum m", m_want);
        trial_end(&t);
    }
}

static void rmsprop(void) {
    for (int mode = 0; mode < 8; mode++) {
        Trial t = {0};
        bool with_m = mode & 1, centered = mode & 2;
        add_vector(&t, N, 1, -1, 1);
        add_vector(&t, N, 2, 1, 2);
        if (with_m)
            add_vector(&t, N, 3, -1, 1);
        else
            trial_number(&t, 5);
        if (centered)
            add_vector(&t, N, 4, -0.5, 0.5);
        else
            trial_number(&t, 6);
        add_vector(&t, N, 5, -1, 1);
        trial_number(&t, 0.1f);
        trial_number(&t, 0.9f);
        trial_number(&t, 0.8f);
        trial_number(&t, 1e-7f);
        for (int k = 0; k < 4; k++) trial_out(&t, DTYPE_FLOAT32, t.in[k].shape);
        in_place(&t, mode & 4);
        t.call.attrs.i[0] = with_m;
        t.call.attrs.i[1] = centered;
        trial_run(&t, KERNELS(rmsprop_update));
        for (int i = 0; i < N; i++) {
            double g = at(&t, 4, i);
            v_want[i] = 0.9 * at(&t, 1, i) + 0.1 * g * g;
            double under = v_want[i] + 1e-7;
            if (centered) {
                a_want[i] = 0.9 * at(&t, 3, i) + 0.1 * g;
                under -= a_want[i] * a_want[i];
            }
            m_want[i] = 0.1 * g / sqrt(under) + (with_m ? 0.8 * at(&t, 2, i) : 0);
            p_want[i] = at(&t, 0, i) - m_want[i];
        }
        if (!with_m) m_want[0] = 5;
        if (!centered) a_want[0] = 6;
        expect(&t, 0, "rmsprop p", p_want);
        expect(&t, 1, "rmsprop v", v_want);
        expect(&t, 2, "rmsprop m", m_want);
        expect(&t, 3, "rmsprop a", a_want);
        trial_end(&t);
    }
}

static void adam(void) {
    for (int64_t step = 0; step < 4000; step += 1 + step * 3) {
        for (int alias = 0; alias < 2; alias++) {
            Trial t = {0};
            add_vector(&t, N, 1, -1, 1);
            add_vector(&t, N, 2, -1, 1);
            add_vector(&t, N, 3, 0, 1);
            add_vector(&t, N, 4, -1, 1);
            trial_number(&t, 0.01f);
            trial_number(&t, 0.9f);
            trial_number(&t, 0.999f);
            trial_number(&t, 1e-3f);
            *(int64_t *)trial_in(&t, DTYPE_INT64, shape_of(0)) = step;
            for (int k = 0; k < 3; k++)
                trial_out(&t, DTYPE_FLOAT32, shape_of(1, (int64_t)N));
            in_place(&t, alias);
            trial_run(&t, KERNELS(adam_update));
            double b1 = 0.9f, b2 = 0.999f, n = (double)step + 1;
            double alpha = 0.01f * sqrt(1 - pow(b2, n)) / (1 - pow(b1, n));
            for (int i = 0; i < N; i++) {
                double g = at(&t, 3, i);
                m_want[i] = b1 * at(&t, 1, i) + (1 - b1) * g;
                v_want[i] = b2 * at(&t, 2, i) + (1 - b2) * g * g;
                p_want[i] =
                    at(&t, 0, i) - alpha * m_want[i] / (sqrt(v_want[i]) + (double)1e-3f);
            }
            expect(&t, 0, "adam p", p_want);
            expect(&t, 1, "adam m", m_want);
            expect(&t, 2, "adam v", v_want);
            trial_end(&t);
        }
    }
}

/* Keras's tests: w = {1, 2, 3, 4}, g = {1, 6, 7, 2}, learning rate 0.5, other
 * defaults. */
static void set_golden(Trial *t, int operand) {
    static const float w[] = {1, 2, 3, 4}, g[] = {1, 6, 7, 2};
    memcpy(t->in[0].data, w, sizeof w);
    memcpy(t->in[operand].data, g, sizeof g);
}

static void golden(void) {
    static const double adam_want[] = {0.5, 1.5, 2.5, 3.5};
    static const double rmsprop_want[] = {-0.5811, 0.4189, 1.4189, 2.4189};
    Trial t = {0};
    for (int k = 0; k < 4; k++) add_vector(&t, 4, 1, 0, 1e-30);
    static const float adam_numbers[] = {0.5f, 0.9f, 0.999f, 1e-7f};
    for (int k = 0; k < 4; k++) trial_number(&t, adam_numbers[k]);
    *(int64_t *)trial_in(&t, DTYPE_INT64, shape_of(0)) = 0;
    for (int k = 0; k < 3; k++) trial_out(&t, DTYPE_FLOAT32, shape_of(1, 4L));
    set_golden(&t, 3);
    trial_run(&t, KERNELS(adam_update));
    for (int i = 0; i < 4; i++) CHECK_NEAR(trial_at(&t.out[0], i), adam_want[i], 1e-5);
    trial_end(&t);

    add_vector(&t, 4, 1, 0, 1);
    add_vector(&t, 4, 1, 0, 1e-30);
    trial_number(&t, 0);
    trial_number(&t, 0);
    add_vector(&t, 4, 1, 0, 1);
    static const float rmsprop_numbers[] = {0.5f, 0.9f, 0, 1e-7f};
    for (int k = 0; k < 4; k++) trial_number(&t, rmsprop_numbers[k]);
    for (int k = 0; k < 4; k++) trial_out(&t, DTYPE_FLOAT32, t.in[k].shape);
    set_golden(&t, 4);
    trial_run(&t, KERNELS(rmsprop_update));
    for (int i = 0; i < 4; i++) CHECK_NEAR(trial_at(&t.out[0], i), rmsprop_want[i], 1e-4);
    trial_end(&t);
}

TEST_MAIN(sgd, momentum, rmsprop, adam, golden)
