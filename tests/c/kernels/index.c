/* gather, scatter, take_along, put_along, one_hot and sort, against plain loops. */
#include "trial.h"

KERNEL_DECLARE(gather);
KERNEL_DECLARE(scatter);
KERNEL_DECLARE(take_along);
KERNEL_DECLARE(put_along);
KERNEL_DECLARE(one_hot);
KERNEL_DECLARE(sort);

/* base with axis replaced by the axes of `by`. */
static Shape replaced(const Shape *base, int axis, const Shape *by) {
    Shape out = {0};
    for (int k = 0; k < axis; k++) out.dim[out.ndim++] = base->dim[k];
    for (int k = 0; k < by->ndim; k++) out.dim[out.ndim++] = by->dim[k];
    for (int k = axis + 1; k < base->ndim; k++) out.dim[out.ndim++] = base->dim[k];
    return out;
}

static int64_t inner_of(const Shape *shape, int axis) {
    int64_t inner = 1;
    for (int k = axis + 1; k < shape->ndim; k++) inner *= shape->dim[k];
    return inner;
}

static const Shape sources[] = {
    {1, {50}}, {2, {40, 30}}, {2, {1000, 600}}, {3, {7, 20, 5}}};
static const Shape index_shapes[] = {{0}, {1, {9}}, {2, {30, 40}}, {1, {0}}};
static const DType dtypes[] = {DTYPE_UINT8, DTYPE_INT32, DTYPE_INT64, DTYPE_FLOAT32,
                               DTYPE_FLOAT64};

static double gather_reference(const Trial *t, int64_t at) {
    int axis = (int)t->call.attrs.i[0];
    int64_t inner = inner_of(&t->in[0].shape, axis), size = t->in[0].shape.dim[axis];
    int64_t count = t->in[1].size, place = at / inner % count, outer = at / inner / count;
    int64_t index = ((int64_t *)t->in[1].data)[place];
    return trial_at(&t->in[0], (outer * size + index) * inner + at % inner);
}

static void gathering(void) {
    for (int s = 0; s < 4; s++) {
        for (int axis = 0; axis < sources[s].ndim; axis++) {
            for (int i = 0; i < 4; i++) {
                Trial t = {0};
                DType d = dtypes[(s + axis + i) % 5];
                trial_in(&t, d, sources[s]);
                trial_in(&t, DTYPE_INT64, index_shapes[i]);
                trial_out(&t, d, replaced(&sources[s], axis, &index_shapes[i]));
                trial_fill(&t, 0, 1, 0, 200);
                trial_fill(&t, 1, 2, 0, (double)sources[s].dim[axis]);
                t.call.attrs.i[0] = axis;
                trial_run(&t, KERNELS(gather));
                trial_expect(&t, 0, "gather", 0, gather_reference);
                CHECK(!t.fault.set);
                trial_end(&t);
            }
        }
    }
}

static double *sums;
static double sums_at(const Trial *t, int64_t at) { return sums[at]; }

static void expect_scatter(const Trial *t) {
    int axis = (int)t->call.attrs.i[0];
    int64_t inner = inner_of(&t->out[0].shape, axis), count = t->in[1].size;
    int64_t size = t->out[0].shape.dim[axis];
    sums = realloc(sums, (size_t)(t->out[0].size + 1) * sizeof *sums);
    memset(sums, 0, (size_t)t->out[0].size * sizeof *sums);
    for (int64_t at = 0; at < t->in[0].size; at++) {
        int64_t place = at / inner % count, outer = at / inner / count;
        int64_t index = ((int64_t *)t->in[1].data)[place];
        sums[(outer * size + index) * inner + at % inner] += trial_at(&t->in[0], at);
    }
    trial_expect(t, 0, "scatter", t->out[0].dtype == DTYPE_FLOAT32 ? 1e-6 : 1e-14,
                 sums_at);
}

static void scattering(void) {
    for (int s = 0; s < 4; s++) {
        for (int axis = 0; axis < sources[s].ndim; axis++) {
            for (int i = 0; i < 4; i++) {
                Trial t = {0};
                DType d = dtypes[1 + (s + axis + i) % 4];
                trial_in(&t, d, replaced(&sources[s], axis, &index_shapes[i]));
                trial_in(&t, DTYPE_INT64, index_shapes[i]);
                trial_out(&t, d, sources[s]);
                trial_fill(&t, 0, 1, 0, 200);
                trial_fill(&t, 1, 2, 0, (double)sources[s].dim[axis]);
                t.call.attrs.i[0] = axis;
                t.call.attrs.i[1] = sources[s].dim[axis];
                trial_run(&t, KERNELS(scatter));
                expect_scatter(&t);
                trial_end(&t);
            }
        }
    }
    /* uint8 wraps. */
    Trial t = {0};
    uint8_t *values = trial_in(&t, DTYPE_UINT8, shape_of(1, 3L));
    int64_t *indices = trial_in(&t, DTYPE_INT64, shape_of(1, 3L));
    uint8_t *y = trial_out(&t, DTYPE_UINT8, shape_of(1, 2L));
    values[0] = values[1] = 200, values[2] = 7;
    indices[0] = indices[1] = 1, indices[2] = 0;
    t.call.attrs.i[1] = 2;
    trial_run(&t, KERNELS(scatter));
    CHECK(y[0] == 7 && y[1] == 144);
    trial_end(&t);
}

static double take_reference(const Trial *t, int64_t at) {
    int axis = (int)t->call.attrs.i[0];
    int64_t inner = inner_of(&t->in[0].shape, axis), size = t->in[0].shape.dim[axis];
    int64_t outer = at / inner / t->in[1].shape.dim[axis];
    int64_t index = ((int64_t *)t->in[1].data)[at];
    return trial_at(&t->in[0], (outer * size + index) * inner + at % inner);
}

static void expect_put(const Trial *t) {
    int axis = (int)t->call.attrs.i[0];
    int64_t inner = inner_of(&t->out[0].shape, axis), size = t->out[0].shape.dim[axis];
    sums = realloc(sums, (size_t)(t->out[0].size + 1) * sizeof *sums);
    memset(sums, 0, (size_t)t->out[0].size * sizeof *sums);
    for (int64_t at = 0; at < t->in[0].size; at++) {
        int64_t outer = at / inner / t->in[1].shape.dim[axis];
        int64_t index = ((int64_t *)t->in[1].data)[at];
        sums[(outer * size + index) * inner + at % inner] += trial_at(&t->in[0], at);
    }
    trial_expect(t, 0, "put_along", t->out[0].dtype == DTYPE_FLOAT32 ? 1e-6 : 1e-14,
                 sums_at);
}

static void along(void) {
    for (int s = 0; s < 4; s++) {
        for (int axis = 0; axis < sources[s].ndim; axis++) {
            for (int d = 1; d < 5; d++) {
                Trial t = {0};
                Shape small = sources[s];
                small.dim[axis] = 1 + (axis + d) * 3;
                trial_in(&t, dtypes[d], sources[s]);
                trial_in(&t, DTYPE_INT64, small);
                trial_out(&t, dtypes[d], small);
                trial_fill(&t, 0, 1, 0, 200);
                trial_fill(&t, 1, 2, 0, (double)sources[s].dim[axis]);
                t.call.attrs.i[0] = axis;
                trial_run(&t, KERNELS(take_along));
                trial_expect(&t, 0, "take_along", 0, take_reference);
                trial_end(&t);
                trial_in(&t, dtypes[d], small);
                trial_in(&t, DTYPE_INT64, small);
                trial_out(&t, dtypes[d], sources[s]);
                trial_fill(&t, 0, 1, 0, 200);
                trial_fill(&t, 1, 2, 0, (double)sources[s].dim[axis]);
                t.call.attrs.i[0] = axis;
                t.call.attrs.i[1] = sources[s].dim[axis];
                trial_run(&t, KERNELS(put_along));
                expect_put(&t);
                trial_end(&t);
            }
        }
    }
}

static double one_hot_reference(const Trial *t, int64_t at) {
    int64_t classes = t->call.attrs.i[0];
    return trial_at(&t->in[0], at / classes) == (double)(at % classes);
}

static void one_hot(void) {
    static const Shape shapes[] = {{0}, {1, {3000}}, {2, {4, 5}}, {1, {0}}};
    for (int k = 0; k < 4; k++) {
        Trial t = {0};
        Shape out = shapes[k];
        out.dim[out.ndim++] = 13;
        trial_in(&t, DTYPE_INT64, shapes[k]);
        trial_out(&t, DTYPE_FLOAT32, out);
        trial_fill(&t, 0, 4, 0, 13);
        t.call.attrs.i[0] = 13;
        trial_run(&t, KERNELS(one_hot));
        trial_expect(&t, 0, "one_hot", 0, one_hot_reference);
        trial_end(&t);
    }
}

/* An index out of range is named with its place and gives zeros; nothing is read
 * there. */
static void out_of_range(void) {
    static const int64_t bad[] = {10, -1, INT64_MAX, INT64_MIN};
    for (int k = 0; k < 4; k++) {
        for (int inner = 1; inner < 3; inner++) {
            Trial t = {0};
            char message[96];
            Shape values = {.ndim = 2, .dim = {20000, inner}};
            snprintf(message, sizeof message,
                     "index %ld at position 15001 is out of range for size 10",
                     (long)bad[k]);
            trial_in(&t, DTYPE_FLOAT32, shape_of(2, 10L, (int64_t)inner));
            int64_t *indices = trial_in(&t, DTYPE_INT64, shape_of(1, 20000L));
            float *y = trial_out(&t, DTYPE_FLOAT32, values);
            trial_fill(&t, 0, 1, 1, 2);
            trial_fill(&t, 1, 2, 0, 10);
            indices[15000] = indices[19000] = bad[k];
            trial_run(&t, KERNELS(gather));
            CHECK_TEXT(t.fault.text, message);
            CHECK(y[15000 * inner] == 0 && y[15001 * inner] != 0);
            trial_end(&t);

            trial_in(&t, DTYPE_FLOAT32, values);
            indices = trial_in(&t, DTYPE_INT64, shape_of(1, 20000L));
            trial_out(&t, DTYPE_FLOAT32, shape_of(2, 10L, (int64_t)inner));
            trial_fill(&t, 0, 1, 1, 2);
            trial_fill(&t, 1, 2, 0, 10);
            indices[15000] = bad[k];
            t.call.attrs.i[1] = 10;
            trial_run(&t, KERNELS(scatter));
            CHECK_TEXT(t.fault.text, message);
            trial_end(&t);
        }
        Trial t = {0};
        trial_in(&t, DTYPE_FLOAT32, shape_of(2, 10L, 4L));
        int64_t *indices = trial_in(&t, DTYPE_INT64, shape_of(2, 3L, 4L));
        float *y = trial_out(&t, DTYPE_FLOAT32, shape_of(2, 3L, 4L));
        trial_fill(&t, 0, 1, 1, 2);
        trial_fill(&t, 1, 2, 0, 10);
        indices[6] = bad[k];
        trial_run(&t, KERNELS(take_along));
        CHECK_TEXT(t.fault.text, "at position 7 is out of range for size 10");
        CHECK(y[6] == 0 && y[5] != 0);
        trial_end(&t);
        trial_in(&t, DTYPE_FLOAT32, shape_of(2, 3L, 4L));
        indices = trial_in(&t, DTYPE_INT64, shape_of(2, 3L, 4L));
        trial_out(&t, DTYPE_FLOAT32, shape_of(2, 10L, 4L));
        trial_fill(&t, 0, 1, 1, 2);
        trial_fill(&t, 1, 2, 0, 10);
        indices[6] = bad[k];
        t.call.attrs.i[1] = 10;
        trial_run(&t, KERNELS(put_along));
        CHECK_TEXT(t.fault.text, "at position 7 is out of range for size 10");
        trial_end(&t);
        indices = trial_in(&t, DTYPE_INT64, shape_of(1, 4L));
        y = trial_out(&t, DTYPE_FLOAT32, shape_of(2, 4L, 10L));
        trial_fill(&t, 0, 1, 0, 10);
        indices[2] = bad[k];
        t.call.attrs.i[0] = 10;
        trial_run(&t, KERNELS(one_hot));
        CHECK_TEXT(t.fault.text, "at position 3 is out of range for size 10");
        for (int i = 20; i < 30; i++) CHECK(y[i] == 0);
        trial_end(&t);
    }
}

/* ---- sort ---- */

/* Each line is in order, is a permutation of the input's line, and equal values keep
 * it. */
static void check_sorted(const Trial *t, int64_t n, int64_t inner, bool descending) {
    int64_t lines = t->in[0].size / n, wrong = 0;
    const int64_t *indices = t->out[1].data;
    char *seen = calloc(1, (size_t)n);
    for (int64_t line = 0; line < lines; line++) {
        int64_t first = line / inner * n * inner + line % inner;
        memset(seen, 0, (size_t)n);
        for (int64_t i = 0; i < n; i++) {
            int64_t at = first + i * inner, source = indices[at];
            if (source < 0 || source >= n || seen[source]++) {
                wrong++;
                continue;
            }
            double value = trial_at(&t->out[0], at);
            double own = trial_at(&t->in[0], first + source * inner);
            if (value != own && !(isnan(value) && isnan(own))) wrong++;
            if (i == 0) continue;
            double before = trial_at(&t->out[0], at - inner);
            bool tie = before == value || (isnan(before) && isnan(value));
            bool after = isnan(value) || (descending ? before > value : before < value);
            if (tie ? indices[at - inner] >= source : isnan(before) || !after) wrong++;
        }
    }
    CHECK(wrong == 0);
    free(seen);
}

static void sorting(void) {
    static const Shape shapes[] = {{1, {1}},      {1, {2}},        {1, {12}},
                                   {1, {13}},     {1, {1000}},     {2, {100, 33}},
                                   {2, {33, 70}}, {3, {5, 60, 7}}, {2, {0, 4}}};
    for (int k = 0; k < 9; k++) {
        for (int axis = 0; axis < shapes[k].ndim; axis++) {
            for (int d = DTYPE_BOOL; d < DTYPE_COUNT; d++) {
                for (int descending = 0; descending < 2; descending++) {
                    Trial t = {0};
                    trial_in(&t, (DType)d, shapes[k]);
                    trial_out(&t, (DType)d, shapes[k]);
                    trial_out(&t, DTYPE_INT64, shapes[k]);
                    trial_fill(&t, 0, (uint64_t)k, 0,
                               d == DTYPE_BOOL ? 1
                               : k % 2         ? 20
                                               : 255);
                    if (dtype_is_float((DType)d))
                        for (int64_t i = 3; i < t.in[0].size; i += 29)
                            dtype_store((DType)d,
                                        (char *)t.in[0].data +
                                            (size_t)i * dtype_size((DType)d),
                                        i % 2   ? NAN
                                        : i % 4 ? INFINITY
                                                : -INFINITY);
                    t.call.attrs.i[0] = axis;
                    t.call.attrs.i[1] = descending;
                    trial_run(&t, KERNELS(sort));
                    check_sorted(&t, shapes[k].dim[axis] ? shapes[k].dim[axis] : 1,
                                 inner_of(&shapes[k], axis), descending);
                    trial_end(&t);
                }
            }
        }
    }
}

TEST_MAIN(gathering, scattering, along, one_hot, out_of_range, sorting)
