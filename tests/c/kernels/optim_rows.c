/* Updates by the rows of a gradient give the bits of the dense rows, which see the same
 * sums with zeros around them; and index_order against a plain sort. */
#include "trial.h"

KERNEL_DECLARE(index_order);
KERNEL_DECLARE(sgd_update);
KERNEL_DECLARE(momentum_update);
KERNEL_DECLARE(adagrad_update);
KERNEL_DECLARE(rmsprop_update);
KERNEL_DECLARE(adam_update);
KERNEL_DECLARE(sgd_rows);
KERNEL_DECLARE(momentum_rows);
KERNEL_DECLARE(adagrad_rows);
KERNEL_DECLARE(rmsprop_rows);
KERNEL_DECLARE(adam_rows);

/* ---- index_order ---- */

static void order(void) {
    static const int64_t sizes[] = {1, 2, 7, 2048, 2049, 100000, INT64_C(1) << 40};
    for (int s = 0; s < 7; s++) {
        for (int64_t count = 0; count < 6000; count = count * 9 + 1) {
            Trial t = {.call.attrs.i = {sizes[s]}};
            int64_t *indices = trial_in(&t, DTYPE_INT64, shape_of(1, count));
            int64_t *out = trial_out(&t, DTYPE_INT64, shape_of(2, 2L, count));
            uint64_t state = (uint64_t)count;
            for (int64_t k = 0; k < count; k++)
                indices[k] = trial_below(&state, sizes[s]);
            trial_run(&t, KERNELS(index_order));
            CHECK(!t.fault.set);
            bool good = true;
            for (int64_t k = 0; k < count; k++) {
                int64_t at = out[count + k];
                good = good && at >= 0 && at < count && indices[at] == out[k];
                if (k == 0) continue;
                good = good && (out[k - 1] < out[k] ||
                                (out[k - 1] == out[k] && out[count + k - 1] < at));
            }
            CHECK(good);
            trial_end(&t);
        }
    }
}

static void order_out_of_range(void) {
    static const int64_t bad[] = {-1, 5, INT64_MIN, INT64_MAX};
    for (int k = 0; k < 4; k++) {
        Trial t = {.call.attrs.i = {5}};
        int64_t *indices = trial_in(&t, DTYPE_INT64, shape_of(1, 3L));
        int64_t *out = trial_out(&t, DTYPE_INT64, shape_of(2, 2L, 3L));
        indices[0] = 4;
        indices[1] = bad[k];
        indices[2] = 2;
        trial_run(&t, KERNELS(index_order));
        CHECK_TEXT(t.fault.text, "at position 2 is out of range for size 5");
        CHECK(out[0] == 0 && out[1] == 2 && out[2] == 4 && out[3] == 1);
        trial_end(&t);
    }
}

/* ---- updates ---- */

typedef struct Update {
    const char *name;
    const Kernel *const *dense, *const *rows;
    int state, numbers; /* p and its state; scalars behind the gradient */
    float number[4];
    int64_t attrs[2];
} Update;

/* A table (size, inner) of which `count` slices use the rows below `used`. */
typedef struct Table {
    int64_t size, inner, count, used;
} Table;

static const Table tables[] = {
    {1, 1, 1, 1},        {5, 3, 0, 1},        {300, 1, 2000, 300},
    {1000, 32, 40, 990}, {40, 700, 90, 40},   {3, 5000, 4, 3},
    {700, 64, 3000, 3},  {4000, 9, 70, 4000}, {6, 6, 6, 6}};
enum { TABLES = sizeof tables / sizeof *tables };

/* p, the state (above 0, as squares are), the gradient, the scalars [, adam's t]. */
static void fill(Trial *t, const Update *u, const Table *table, Shape gradient) {
    Shape shape = shape_of(2, table->size, table->inner);
    for (int k = 0; k < u->state; k++) {
        bool unused =
            u->state == 4 && ((k == 2 && !u->attrs[0]) || (k == 3 && !u->attrs[1]));
        trial_in(t, DTYPE_FLOAT32, unused ? shape_of(0) : shape);
        trial_fill(t, k, (uint64_t)k + 3, k ? 0 : -1, k == 3 ? 0.1 : 1);
        /* The second half has never been used. */
        float *state = t->in[k].data;
        for (int64_t i = (t->in[k].size + 1) / 2; k && i < t->in[k].size; i++)
            state[i] = 0;
        trial_out(t, DTYPE_FLOAT32, t->in[k].shape);
    }
    trial_in(t, DTYPE_FLOAT32, gradient);
    for (int k = 0; k < u->numbers; k++) trial_number(t, u->number[k]);
    if (u->state == 3) *(int64_t *)trial_in(t, DTYPE_INT64, shape_of(0)) = 3;
    for (int k = 0; k < 2; k++) t->call.attrs.i[k] = u->attrs[k];
}

/* The order of slices that use random rows, some of them often. */
static int64_t *add_order(Trial *t, const Table *table) {
    int64_t *rows = trial_in(t, DTYPE_INT64, shape_of(2, 2L, table->count));
    uint64_t state = (uint64_t)table->count + 1;
    for (int64_t k = 0; k < table->count; k++) {
        int64_t row = trial_below(&state, table->used), to = k;
        if (row % 3 == 0) row = 0;
        for (; to > 0 && rows[to - 1] > row; to--) {
            rows[to] = rows[to - 1];
            rows[table->count + to] = rows[table->count + to - 1];
        }
        rows[to] = row;
        rows[table->count + to] = k;
    }
    return rows;
}

static void compare(const Update *u, const Table *table, bool in_place) {
    Trial rows = {0}, dense = {0};
    fill(&rows, u, table, shape_of(2, table->count, table->inner));
    fill(&dense, u, table, shape_of(2, table->size, table->inner));
    trial_fill(&rows, u->state, 9, -1, 1);
    const int64_t *order = add_order(&rows, table);
    const float *from = rows.in[u->state].data;
    float *sum = dense.in[u->state].data;
    memset(sum, 0, trial_bytes(&dense.in[u->state]));
    for (int64_t k = 0; k < table->count; k++)
        for (int64_t c = 0; c < table->inner; c++)
            sum[order[k] * table->inner + c] +=
                from[order[table->count + k] * table->inner + c];
    for (int k = 0; k < u->state; k++) rows.alias[k] = in_place ? k + 1 : 0;
    trial_run(&rows, u->name, u->rows);
    trial_run(&dense, u->name, u->dense);
    for (int k = 0; k < u->state; k++)
        CHECK(trial_same(&rows.out[k], rows.out[k].data, dense.out[k].data));
    trial_end(&rows);
    trial_end(&dense);
}

static const Kernel *const *second(const char *name, const Kernel *const kernels[]) {
    return kernels;
}

/* KERNELS gives arrays that live as long as the block they stand in. */
static void updates(void) {
#define PAIR(name) #name, second(KERNELS(name##_update)), second(KERNELS(name##_rows))
    const Update all[] = {
        {PAIR(sgd), 1, 1, {0.1f}, {0}},
        {PAIR(sgd), 1, 1, {-0.1f}, {0}},
        {PAIR(sgd), 1, 1, {INFINITY}, {0}},
        {PAIR(sgd), 1, 1, {NAN}, {0}},
        {PAIR(momentum), 2, 2, {0.1f, 0.9f}, {0}},
        {PAIR(momentum), 2, 2, {0.1f, 0.9f}, {1}},
        {PAIR(adagrad), 2, 2, {0.1f, 1e-7f}, {0}},
        {PAIR(adagrad), 2, 2, {0.1f, 0}, {0}},
        {PAIR(adagrad), 2, 2, {INFINITY, 1e-7f}, {0}},
        {PAIR(rmsprop), 4, 4, {0.1f, 0.9f, 0, 1e-7f}, {0, 0}},
        {PAIR(rmsprop), 4, 4, {0.1f, 0.9f, 0.8f, 1e-7f}, {1, 0}},
        {PAIR(rmsprop), 4, 4, {0.1f, 0.9f, 0, 1e-7f}, {0, 1}},
        {PAIR(rmsprop), 4, 4, {0.1f, 0.9f, 0.8f, 1e-7f}, {1, 1}},
        {PAIR(rmsprop), 4, 4, {NAN, 0.9f, 0, 1e-7f}, {0, 0}},
        {PAIR(adam), 3, 4, {0.01f, 0.9f, 0.999f, 1e-7f}, {0}},
        {PAIR(adam), 3, 4, {INFINITY, 0.9f, 0.999f, 1e-7f}, {0}},
        {PAIR(adam), 3, 4, {0.01f, 0.9f, 0.999f, 0}, {0}},
    };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (int table = 0; table < TABLES; table++)
            for (int in_place = 0; in_place < 2; in_place++)
                compare(&all[k], &tables[table], in_place);
}

/* What has no gradient and is not changed is not even read: a table much larger than the
 * memory that is there for it would do. Here its other rows are NaN, and stay as they
 * are. */
static void other_rows_are_not_touched(void) {
    Trial t = {0};
    float *p = trial_in(&t, DTYPE_FLOAT32, shape_of(2, 1000L, 8L));
    float *g = trial_in(&t, DTYPE_FLOAT32, shape_of(2, 1L, 8L));
    trial_number(&t, 0.5f);
    int64_t *order = trial_in(&t, DTYPE_INT64, shape_of(2, 2L, 1L));
    float *out = trial_out(&t, DTYPE_FLOAT32, shape_of(2, 1000L, 8L));
    for (int k = 0; k < 8000; k++) p[k] = NAN;
    for (int k = 0; k < 8; k++) {
        p[700 * 8 + k] = 1;
        g[k] = (float)k;
    }
    order[0] = 700;
    order[1] = 0;
    t.alias[0] = 1;
    trial_run(&t, KERNELS(sgd_rows));
    CHECK(!memcmp(out, p, 700 * 8 * sizeof *p));
    CHECK(!memcmp(out + 701 * 8, p + 701 * 8, 299 * 8 * sizeof *p));
    for (int k = 0; k < 8; k++) CHECK(out[700 * 8 + k] == 1 - 0.5f * (float)k);
    trial_end(&t);
}

TEST_MAIN(order, order_out_of_range, updates, other_rows_are_not_touched)
