/* Kernels that move elements: every dtype size, against loops over indices. */
#include "trial.h"

KERNEL_DECLARE(permute);
KERNEL_DECLARE(broadcast_to);
KERNEL_DECLARE(slice);
KERNEL_DECLARE(unslice);
KERNEL_DECLARE(pad);
KERNEL_DECLARE(concat);

static const DType dtypes[] = {DTYPE_UINT8, DTYPE_FLOAT32, DTYPE_INT64};

static void indices_of(const Shape *shape, int64_t at, int64_t index[]) {
    for (int k = shape->ndim - 1; k >= 0; k--) {
        index[k] = at % shape->dim[k];
        at /= shape->dim[k];
    }
}

static int64_t offset_of(const Shape *shape, const int64_t index[]) {
    int64_t offset = 0;
    for (int k = 0; k < shape->ndim; k++) offset = offset * shape->dim[k] + index[k];
    return offset;
}

static double permute_reference(const Trial *t, int64_t at) {
    int64_t to[SHAPE_MAX], from[SHAPE_MAX];
    indices_of(&t->out[0].shape, at, to);
    for (int k = 0; k < t->out[0].shape.ndim; k++) from[t->call.attrs.i[k]] = to[k];
    return trial_at(&t->in[0], offset_of(&t->in[0].shape, from));
}

static void run_permute(DType dtype, Shape shape, const int perm[]) {
    Trial t = {0};
    Shape out = {.ndim = shape.ndim};
    for (int k = 0; k < shape.ndim; k++) {
        out.dim[k] = shape.dim[perm[k]];
        t.call.attrs.i[k] = perm[k];
    }
    trial_in(&t, dtype, shape);
    trial_out(&t, dtype, out);
    trial_fill(&t, 0, 3, 0, 250);
    trial_run(&t, KERNELS(permute));
    trial_expect(&t, 0, "permute", 0, permute_reference);
    trial_end(&t);
}

static void permuting(void) {
    static const Shape shapes[] = {{2, {7, 5}}, {2, {300, 100}}, {2, {33, 1000}},
                                   {2, {1, 9}}, {2, {64, 8}},    {2, {4096, 9}},
                                   {2, {0, 3}}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int d = 0; d < 3; d++)
            run_permute(dtypes[d], shapes[k], (const int[]){1, 0});
    /* All orders of four axes. */
    for (int code = 0; code < 256; code++) {
        int perm[] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
        if ((1 << perm[0] | 1 << perm[1] | 1 << perm[2] | 1 << perm[3]) != 15) continue;
        run_permute(DTYPE_FLOAT32, shape_of(4, 3L, 40L, 9L, 35L), perm);
        run_permute(DTYPE_UINT8, shape_of(4, 5L, 1L, 4L, 6L), perm);
    }
    run_permute(DTYPE_INT64, shape_of(8, 2L, 3L, 2L, 1L, 2L, 3L, 2L, 2L),
                (const int[]){7, 2, 5, 0, 3, 6, 1, 4});
}

static double broadcast_reference(const Trial *t, int64_t at) {
    return trial_at(&t->in[0], trial_source(&t->out[0].shape, &t->in[0].shape, at));
}

static void broadcasting(void) {
    static const Shape cases[][2] = {
        {{0}, {1, {20000}}},
        {{1, {7}}, {2, {3000, 7}}},
        {{2, {3000, 1}}, {2, {3000, 7}}},
        {{4, {3, 1, 4, 1}}, {4, {3, 5, 4, 6}}},
        {{3, {1, 4, 1}}, {5, {2, 3, 6, 4, 5}}},
        {{2, {4, 6}}, {2, {4, 6}}},
        {{1, {1}}, {2, {0, 5}}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        for (int d = 0; d < 3; d++) {
            Trial t = {0};
            trial_in(&t, dtypes[d], cases[k][0]);
            trial_out(&t, dtypes[d], cases[k][1]);
            trial_fill(&t, 0, 3, 0, 250);
            trial_run(&t, KERNELS(broadcast_to));
            trial_expect(&t, 0, "broadcast_to", 0, broadcast_reference);
            trial_end(&t);
        }
    }
}

static double slice_reference(const Trial *t, int64_t at) {
    int64_t index[SHAPE_MAX];
    indices_of(&t->out[0].shape, at, index);
    for (int k = 0; k < t->out[0].shape.ndim; k++)
        index[k] = t->call.attrs.i[k] + index[k] * t->call.attrs.i[12 + k];
    return trial_at(&t->in[0], offset_of(&t->in[0].shape, index));
}

/* The box of a slice in zeros. */
static double unslice_reference(const Trial *t, int64_t at) {
    int64_t index[SHAPE_MAX];
    const Shape *in = &t->in[0].shape;
    indices_of(&t->out[0].shape, at, index);
    for (int k = 0; k < in->ndim; k++) {
        int64_t from_start = index[k] - t->call.attrs.i[k],
                step = t->call.attrs.i[12 + k];
        index[k] = from_start / step;
        if (from_start % step || index[k] < 0 || index[k] >= in->dim[k]) return 0;
    }
    return trial_at(&t->in[0], offset_of(in, index));
}

typedef struct Box {
    Shape whole;
    int64_t start[4], count[4], step[4];
} Box;

static const Box boxes[] = {
    {{1, {100}}, {10}, {50}, {1}},
    {{1, {100}}, {99}, {50}, {-2}},
    {{1, {50000}}, {1}, {16666}, {3}},
    {{2, {300, 70}}, {10, 0}, {200, 70}, {1, 1}},
    {{2, {300, 70}}, {0, 3}, {300, 60}, {1, 1}},
    {{2, {300, 70}}, {299, 69}, {300, 70}, {-1, -1}},
    {{3, {20, 30, 40}}, {1, 2, 3}, {9, 14, 30}, {2, 2, 1}},
    {{3, {20, 30, 40}}, {19, 0, 0}, {20, 30, 40}, {-1, 1, 1}},
    {{3, {20, 30, 40}}, {5, 29, 0}, {1, 10, 40}, {1, -3, 1}},
    {{4, {4, 5, 6, 7}}, {0, 1, 0, 6}, {4, 2, 6, 3}, {1, 2, 1, -3}},
    {{2, {4, 5}}, {0, 0}, {0, 5}, {1, 1}},
};

static void set_box(Trial *t, const Box *box, Shape *part) {
    *part = (Shape){.ndim = box->whole.ndim};
    for (int k = 0; k < part->ndim; k++) {
        t->call.attrs.i[k] = box->start[k];
        t->call.attrs.i[12 + k] = box->step[k];
        part->dim[k] = box->count[k];
    }
}

static void slicing(void) {
    for (size_t k = 0; k < sizeof boxes / sizeof *boxes; k++) {
        for (int d = 0; d < 3; d++) {
            Trial t = {0};
            Shape part;
            set_box(&t, &boxes[k], &part);
            for (int axis = 0; axis < part.ndim; axis++)
                t.call.attrs.i[6 + axis] = part.dim[axis];
            trial_in(&t, dtypes[d], boxes[k].whole);
            trial_out(&t, dtypes[d], part);
            trial_fill(&t, 0, 3, 0, 250);
            trial_run(&t, KERNELS(slice));
            trial_expect(&t, 0, "slice", 0, slice_reference);
            trial_end(&t);
            set_box(&t, &boxes[k], &part);
            for (int axis = 0; axis < part.ndim; axis++)
                t.call.attrs.i[6 + axis] = boxes[k].whole.dim[axis];
            trial_in(&t, dtypes[d], part);
            trial_out(&t, dtypes[d], boxes[k].whole);
            trial_fill(&t, 0, 3, 0, 250);
            trial_run(&t, KERNELS(unslice));
            trial_expect(&t, 0, "unslice", 0, unslice_reference);
            trial_end(&t);
        }
    }
}

static double pad_reference(const Trial *t, int64_t at) {
    int64_t index[SHAPE_MAX];
    const Shape *in = &t->in[0].shape;
    indices_of(&t->out[0].shape, at, index);
    for (int k = 0; k < in->ndim; k++) {
        index[k] -= t->call.attrs.i[2 * k];
        if (index[k] < 0 || index[k] >= in->dim[k]) return t->call.attrs.f[0];
    }
    return trial_at(&t->in[0], offset_of(in, index));
}

static void padding(void) {
    static const struct {
        Shape shape;
        int64_t border[8];
    } cases[] = {
        {{0}, {0}},
        {{1, {5}}, {2, 3}},
        {{2, {100, 200}}, {1, 0, 0, 0}},
        {{2, {100, 200}}, {0, 0, 0, 7}},
        {{4, {3, 8, 9, 5}}, {0, 0, 1, 2, 3, 4, 0, 0}},
        {{4, {3, 4, 5, 2}}, {1, 1, 1, 1, 1, 1, 1, 1}},
        {{2, {0, 4}}, {1, 2, 0, 1}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        for (int d = 0; d < 3; d++) {
            Trial t = {0};
            Shape out = cases[k].shape;
            for (int axis = 0; axis < out.ndim; axis++)
                out.dim[axis] +=
                    cases[k].border[2 * axis] + cases[k].border[2 * axis + 1];
            memcpy(t.call.attrs.i, cases[k].border, sizeof cases[k].border);
            t.call.attrs.f[0] = 7;
            trial_in(&t, dtypes[d], cases[k].shape);
            trial_out(&t, dtypes[d], out);
            trial_fill(&t, 0, 3, 0, 250);
            trial_run(&t, KERNELS(pad));
            trial_expect(&t, 0, "pad", 0, pad_reference);
            trial_end(&t);
        }
    }
}

static double concat_reference(const Trial *t, int64_t at) {
    int64_t index[SHAPE_MAX], axis = t->call.attrs.i[0];
    indices_of(&t->out[0].shape, at, index);
    for (int k = 0;; k++) {
        const Shape *in = &t->in[k].shape;
        if (index[axis] < in->dim[axis]) return trial_at(&t->in[k], offset_of(in, index));
        index[axis] -= in->dim[axis];
    }
}

static void joining(void) {
    static const Shape base[] = {
        {1, {9}}, {2, {50, 70}}, {3, {6, 7, 80}}, {2, {9000, 3}}};
    for (size_t k = 0; k < sizeof base / sizeof *base; k++) {
        for (int axis = 0; axis < base[k].ndim; axis++) {
            for (int d = 0; d < 3; d++) {
                Trial t = {0};
                Shape out = base[k];
                out.dim[axis] = 0;
                for (int in = 0; in < 5; in++) {
                    Shape shape = base[k];
                    shape.dim[axis] = in == 3 ? 0 : 1 + in * 2;
                    out.dim[axis] += shape.dim[axis];
                    trial_in(&t, dtypes[d], shape);
                    trial_fill(&t, in, (uint64_t)in, 0, 250);
                }
                t.call.attrs.i[0] = axis;
                trial_out(&t, dtypes[d], out);
                trial_run(&t, KERNELS(concat));
                trial_expect(&t, 0, "concat", 0, concat_reference);
                trial_end(&t);
            }
        }
    }
}

TEST_MAIN(permuting, broadcasting, slicing, padding, joining)
