/* Random numbers: exactly the words that random.h promises, moments, limits; dropout
 * and its gradient; permutations. */
#include "base/philox.h"
#include "trial.h"

KERNEL_DECLARE(random_uniform);
KERNEL_DECLARE(random_normal);
KERNEL_DECLARE(random_int);
KERNEL_DECLARE(random_bernoulli);
KERNEL_DECLARE(random_permutation);
KERNEL_DECLARE(dropout);

enum { SEED = 1234, STREAM = 77, STEP = 5 };

/* Key and stream; the output of n elements. */
static void *begin(Trial *t, DType dtype, int64_t n) {
    trial_end(t);
    int64_t *key = trial_in(t, DTYPE_INT64, shape_of(1, 2L));
    key[0] = SEED;
    key[1] = STEP;
    t->call.attrs.i[0] = STREAM;
    t->call.attrs.i[1] = dtype;
    t->call.attrs.i[2] = 1;
    t->call.attrs.i[3] = n;
    return trial_out(t, dtype, shape_of(1, n));
}

static uint32_t word_of(int64_t counter, int word) {
    return philox(philox_key(SEED, STREAM), STEP, (uint64_t)counter).word[word];
}

static void uniform(void) {
    Trial t = {0};
    const int64_t n = 20011;
    float *y = begin(&t, DTYPE_FLOAT32, n);
    t.call.attrs.f[0] = -2;
    t.call.attrs.f[1] = 3;
    trial_run(&t, KERNELS(random_uniform));
    double sum = 0, squares = 0;
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; i++) {
        wrong += y[i] != -2 + 5 * philox_unit(word_of(i / 4, i % 4));
        wrong += !(y[i] >= -2 && y[i] < 3);
        sum += y[i];
        squares += (double)y[i] * y[i];
    }
    CHECK(wrong == 0);
    CHECK_NEAR(sum / (double)n, 0.5, 0.03);
    CHECK_NEAR(squares / (double)n, 25.0 / 12 + 0.25, 0.03);
    double *wide = begin(&t, DTYPE_FLOAT64, 1001);
    t.call.attrs.f[1] = 1;
    trial_run(&t, KERNELS(random_uniform));
    CHECK(wide[0] == philox_unit2(word_of(0, 0), word_of(0, 1)));
    CHECK(wide[999] == philox_unit2(word_of(499, 2), word_of(499, 3)));
    /* Limits between which there is one float: rounding may not give the upper one. */
    y = begin(&t, DTYPE_FLOAT32, 1000);
    t.call.attrs.f[0] = 1;
    t.call.attrs.f[1] = 1 + 0x1p-23;
    trial_run(&t, KERNELS(random_uniform));
    for (int i = 0; i < 1000; i++) CHECK(y[i] == 1);
    trial_end(&t);
}

/* Mean, variance, and how often |z| is below 1 and 2. */
static void check_normal(const Trial *t, double deviation, double within_1,
                         double within_2) {
    double sum = 0, squares = 0, one = 0, two = 0, n = (double)t->out[0].size, links = 0;
    for (int64_t i = 0; i < t->out[0].size; i++) {
        double z = (trial_at(&t->out[0], i) - 10) / 3;
        sum += z;
        squares += z * z;
        one += fabs(z) < 1;
        two += fabs(z) < 2;
        if (i) links += z * (trial_at(&t->out[0], i - 1) - 10) / 3;
    }
    CHECK_NEAR(sum / n, 0, 0.02);
    CHECK_NEAR(sqrt(squares / n), deviation, 0.02);
    CHECK_NEAR(one / n, within_1, 0.01);
    CHECK_NEAR(two / n, within_2, 0.01);
    CHECK_NEAR(links / n, 0, 0.02);
}

static void normal(void) {
    Trial t = {0};
    for (int d = DTYPE_FLOAT32; d <= DTYPE_FLOAT64; d++) {
        for (int truncated = 0; truncated < 2; truncated++) {
            begin(&t, (DType)d, 50001);
            t.call.attrs.f[0] = 10;
            t.call.attrs.f[1] = 3;
            t.call.attrs.f[2] = truncated;
            trial_run(&t, KERNELS(random_normal));
            if (truncated)
                check_normal(&t, 0.8796256610, 0.6827 / 0.9545, 1);
            else
                check_normal(&t, 1, 0.6827, 0.9545);
            for (int64_t i = 0; truncated && i < 50001; i++)
                if (fabs(trial_at(&t.out[0], i) - 10) > 6.00001)
                    CHECK(!"beyond two deviations");
        }
    }
    /* The formulas, in doubles. */
    float *y = begin(&t, DTYPE_FLOAT32, 1000);
    t.call.attrs.f[1] = 1;
    trial_run(&t, KERNELS(random_normal));
    for (int64_t i = 0; i < 1000; i += 2) {
        double u = 1 - (double)philox_unit(word_of(i / 4, i % 4));
        uint32_t w = word_of(i / 4, i % 4 + 1);
        double angle = 1.57079632679489661923 *
                       ((w >> 30) + ((double)(w << 2 >> 8) - 0x1p23) * 0x1p-24);
        CHECK_NEAR(y[i], sqrt(-2 * log(u)) * cos(angle), 1e-6);
        CHECK_NEAR(y[i + 1], sqrt(-2 * log(u)) * sin(angle), 1e-6);
    }
    t.call.attrs.f[2] = 1;
    trial_run(&t, KERNELS(random_normal));
    for (int64_t i = 0; i < 1000; i++) {
        double p = (double)(word_of(i / 4, i % 4) >> 8) + 0.5; /* of 2^24 */
        CHECK_NEAR(erf(y[i] / sqrt(2)), (p * 0x1p-23 - 1) * erf(sqrt(2)), 1e-6);
    }
    trial_end(&t);
}

static void integers(void) {
    static const DType dtypes[] = {DTYPE_INT64, DTYPE_INT32, DTYPE_UINT8, DTYPE_FLOAT32};
    Trial t = {0};
    for (int d = 0; d < 4; d++) {
        begin(&t, dtypes[d], 14000);
        t.call.attrs.i[11] = 3;
        t.call.attrs.i[12] = 10;
        trial_run(&t, KERNELS(random_int));
        int count[20] = {0};
        for (int i = 0; i < 14000; i++) {
            double value = trial_at(&t.out[0], i);
            CHECK(value >= 3 && value < 10);
            count[(int)value % 20]++;
        }
        for (int k = 3; k < 10; k++) CHECK(count[k] > 1850 && count[k] < 2150);
        uint64_t first = philox_below(word_of(3, 2), word_of(3, 3), 7);
        CHECK(trial_at(&t.out[0], 7) == 3 + (double)first);
    }
    int64_t *y = begin(&t, DTYPE_INT64, 100);
    t.call.attrs.i[11] = INT64_MIN;
    t.call.attrs.i[12] = INT64_MAX;
    trial_run(&t, KERNELS(random_int));
    CHECK(y[0] != y[1]);
    trial_end(&t);
}

static void coins(void) {
    static const DType dtypes[] = {DTYPE_BOOL, DTYPE_FLOAT32, DTYPE_INT64};
    Trial t = {0};
    for (int d = 0; d < 3; d++) {
        for (int k = 0; k <= 4; k++) {
            double p = k / 4.0, ones = 0;
            begin(&t, dtypes[d], 20000);
            t.call.attrs.f[0] = p;
            trial_run(&t, KERNELS(random_bernoulli));
            for (int i = 0; i < 20000; i++) {
                double value = trial_at(&t.out[0], i);
                ones += value;
                CHECK(value == (word_of(i / 4, i % 4) < p * 0x1p32));
            }
            CHECK_NEAR(ones / 20000, p, 0.02);
            if (k == 0 || k == 4) CHECK(ones == 20000 * p);
        }
    }
    trial_end(&t);
}

static void permutations(void) {
    static const int64_t sizes[] = {0, 1, 2, 1000};
    Trial t = {0};
    for (int k = 0; k < 4; k++) {
        int64_t n = sizes[k], fixed = 0;
        int64_t *y = begin(&t, DTYPE_INT64, n);
        trial_run(&t, KERNELS(random_permutation));
        char seen[1000] = {0};
        for (int64_t i = 0; i < n; i++) {
            CHECK(y[i] >= 0 && y[i] < n && !seen[y[i]]++);
            fixed += y[i] == i;
        }
        CHECK(n < 1000 || fixed < 10);
    }
    /* Every order of three is as likely. */
    int count[27] = {0};
    for (int step = 0; step < 600; step++) {
        int64_t *y = begin(&t, DTYPE_INT64, 3);
        ((int64_t *)t.in[0].data)[1] = step;
        trial_run(&t, KERNELS(random_permutation));
        count[y[0] * 9 + y[1] * 3 + y[2]]++;
    }
    int orders = 0;
    for (int k = 0; k < 27; k++) {
        if (!count[k]) continue;
        orders++;
        CHECK(count[k] > 60 && count[k] < 140);
    }
    CHECK(orders == 6);
    trial_end(&t);
}

/* ---- dropout ---- */

static void make_dropout(Trial *t, DType dtype, Shape x, Shape mask, double rate) {
    trial_end(t);
    trial_in(t, dtype, x);
    int64_t *key = trial_in(t, DTYPE_INT64, shape_of(1, 2L));
    key[0] = SEED;
    key[1] = STEP;
    t->call.attrs.i[0] = STREAM;
    t->call.attrs.i[2] = mask.ndim;
    for (int k = 0; k < mask.ndim; k++) t->call.attrs.i[3 + k] = mask.dim[k];
    t->call.attrs.f[0] = rate;
    trial_out(t, dtype, x);
    trial_fill(t, 0, 3, 1, 2);
}

static void check_dropout(const Trial *t, Shape mask, double rate) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < t->in[0].size; i++) {
        int64_t e = trial_source(&t->in[0].shape, &mask, i);
        bool kept = word_of(e / 4, e % 4) >= rate * 0x1p32;
        double want = kept ? trial_at(&t->in[0], i) / (1 - rate) : 0;
        wrong += fabs(trial_at(&t->out[0], i) - want) > 1e-6;
    }
    CHECK(wrong == 0);
}

static void dropping(void) {
    static const Shape cases[][2] = {
        {{2, {130, 257}}, {2, {130, 257}}},
        {{3, {8, 50, 20}}, {3, {8, 1, 20}}},
        {{3, {8, 50, 20}}, {2, {1, 20}}},
        {{1, {5}}, {1, {5}}},
        {{0}, {0}},
        {{2, {6, 7}}, {1, {1}}},
    };
    Trial t = {0};
    for (int k = 0; k < 6; k++) {
        for (int d = DTYPE_FLOAT32; d <= DTYPE_FLOAT64; d++) {
            for (int in_place = 0; in_place < 2; in_place++) {
                make_dropout(&t, (DType)d, cases[k][0], cases[k][1], 0.25);
                t.alias[0] = in_place;
                trial_run(&t, KERNELS(dropout));
                check_dropout(&t, cases[k][1], 0.25);
            }
        }
    }
    make_dropout(&t, DTYPE_FLOAT32, shape_of(1, 1000L), shape_of(1, 1000L), 0);
    trial_run(&t, KERNELS(dropout));
    CHECK(!memcmp(t.in[0].data, t.out[0].data, 4000));
    make_dropout(&t, DTYPE_FLOAT32, shape_of(1, 1000L), shape_of(1, 1000L), 1);
    ((float *)t.in[0].data)[3] = INFINITY;
    ((float *)t.in[0].data)[4] = NAN;
    trial_run(&t, KERNELS(dropout));
    for (int i = 0; i < 1000; i++) CHECK(((float *)t.out[0].data)[i] == 0);
    trial_end(&t);
}

TEST_MAIN(uniform, normal, integers, coins, permutations, dropping)
