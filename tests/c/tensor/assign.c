/* Copies between any layouts and element types, compared with element-by-element ones. */
#include "base/mem.h"
#include "base/philox.h"
#include "tensor/tensor.h"
#include "test.h"

static uint64_t draws;

static int64_t below(int64_t n) {
    Philox p = philox(1, 2, draws++);
    return (int64_t)philox_below(p.word[0], p.word[1], (uint64_t)n);
}

static Shape shape1(int64_t a) { return shape_of(1, a); }

static Tensor counting(DType dtype, Shape shape) {
    Tensor t = {0};
    CHECK(tensor_new(&t, dtype, shape, NULL));
    for (int64_t i = 0; i < tensor_size(&t); i++)
        dtype_store(dtype, t.data + i * (int64_t)dtype_size(dtype), (double)(i % 120));
    return t;
}

/* The next index of a shape, the last axis first; false after the last one. */
static bool advance(const Shape *shape, int64_t index[]) {
    for (int axis = shape->ndim - 1; axis >= 0; axis--) {
        if (++index[axis] < shape->dim[axis]) return true;
        index[axis] = 0;
    }
    return false;
}

/* Random steps, directions and order of axes over a base of shape (7, 6, 5, 4). */
static Tensor random_view(const Tensor *base) {
    int64_t start[4], count[4], step[4];
    for (int axis = 0; axis < 4; axis++) {
        int64_t size = base->shape.dim[axis];
        step[axis] = 1 + below(2);
        count[axis] = 1 + below((size + step[axis] - 1) / step[axis]);
        start[axis] = below(size - (count[axis] - 1) * step[axis]);
        if (below(3) == 0) { /* the same elements from the other end */
            start[axis] += (count[axis] - 1) * step[axis];
            step[axis] = -step[axis];
        }
    }
    int perm[4] = {0, 1, 2, 3};
    for (int i = 3; i > 0 && below(2); i--) {
        int other = (int)below(i + 1), kept = perm[i];
        perm[i] = perm[other];
        perm[other] = kept;
    }
    Tensor slice, view;
    CHECK(tensor_slice(base, start, count, step, &slice, NULL));
    CHECK(tensor_permute(&slice, perm, &view, NULL));
    tensor_release(&slice);
    return view;
}

/* A view of `from` with the shape of `to`, or of shape that broadcasts to it. */
static bool cut_to(const Tensor *from, const Shape *shape, Tensor *out) {
    int64_t start[SHAPE_MAX] = {0}, count[SHAPE_MAX], step[SHAPE_MAX];
    for (int axis = 0; axis < shape->ndim; axis++) {
        step[axis] = 1;
        count[axis] = below(4) ? shape->dim[axis] : 1;
        if (count[axis] > from->shape.dim[axis]) return false;
    }
    return tensor_slice(from, start, count, step, out, NULL);
}

static void any_layout_and_type(void) {
    int compared = 0, wrong = 0;
    for (int round = 0; round < 3000; round++) {
        Tensor a = counting((DType)below(DTYPE_COUNT),
                            shape_of(4, (int64_t)7, (int64_t)6, (int64_t)5, (int64_t)4));
        Tensor b = counting((DType)below(DTYPE_COUNT), a.shape);
        Tensor to = random_view(&a), whole = random_view(&b), from = {0}, wide;
        if (cut_to(&whole, &to.shape, &from)) {
            CHECK(tensor_assign(&to, &from, NULL));
            CHECK(tensor_broadcast(&from, to.shape, &wide, NULL));
            int64_t index[SHAPE_MAX] = {0};
            do {
                double want = tensor_load(&wide, index);
                if (to.dtype == DTYPE_BOOL) want = want != 0;
                wrong += tensor_load(&to, index) != want;
                compared++;
            } while (advance(&to.shape, index));
            tensor_release(&wide);
        }
        tensor_release(&from);
        tensor_release(&whole);
        tensor_release(&to);
        tensor_release(&b);
        tensor_release(&a);
    }
    CHECK(wrong == 0);
    CHECK(compared > 10000);
}

static void other_elements_are_untouched(void) {
    Tensor t = counting(DTYPE_INT32, shape_of(2, (int64_t)4, (int64_t)6)), box, value;
    CHECK(tensor_slice(&t, (int64_t[]){1, 1}, (int64_t[]){2, 2}, (int64_t[]){1, 3}, &box,
                       NULL));
    value = counting(DTYPE_FLOAT32, shape_of(0));
    *(float *)(void *)value.data = -7.9f;
    CHECK(tensor_assign(&box, &value, NULL));
    for (int i = 0; i < 24; i++) {
        bool inside = (i / 6 == 1 || i / 6 == 2) && (i % 6 == 1 || i % 6 == 4);
        CHECK(((int32_t *)(void *)t.data)[i] == (inside ? -7 : i));
    }
    tensor_release(&value);
    tensor_release(&box);
    tensor_release(&t);
}

static void overlapping_memory(void) {
    Tensor t = counting(DTYPE_INT64, shape1(10)), low, high, back;
    int64_t *data = (int64_t *)(void *)t.data;
    CHECK(tensor_slice(&t, (int64_t[]){0}, (int64_t[]){8}, (int64_t[]){1}, &low, NULL));
    CHECK(tensor_slice(&t, (int64_t[]){2}, (int64_t[]){8}, (int64_t[]){1}, &high, NULL));
    CHECK(tensor_assign(&high, &low, NULL)); /* 0 1 0 1 2 3 4 5 6 7 */
    CHECK(data[0] == 0 && data[1] == 1 && data[2] == 0 && data[4] == 2 && data[9] == 7);
    CHECK(
        tensor_slice(&t, (int64_t[]){9}, (int64_t[]){10}, (int64_t[]){-1}, &back, NULL));
    CHECK(tensor_assign(&t, &back, NULL)); /* 7 6 5 4 3 2 1 0 1 0 */
    CHECK(data[0] == 7 && data[1] == 6 && data[5] == 2 && data[8] == 1 && data[9] == 0);
    CHECK(tensor_assign(&t, &t, NULL));
    CHECK(data[0] == 7 && data[9] == 0);
    tensor_trim();
    mem_fail_at(1); /* no memory for the copy between: nothing changes */
    Err err = {0};
    CHECK(!tensor_assign(&t, &back, &err));
    CHECK_TEXT(err.text, "out of memory");
    CHECK(data[0] == 7 && data[9] == 0);
    tensor_release(&back);
    tensor_release(&high);
    tensor_release(&low);
    tensor_release(&t);
}

static void shapes_must_broadcast(void) {
    Tensor to = counting(DTYPE_FLOAT32, shape_of(2, (int64_t)2, (int64_t)3));
    Tensor from = counting(DTYPE_FLOAT32, shape1(2));
    Err err = {0};
    CHECK(!tensor_assign(&to, &from, &err));
    CHECK_TEXT(err.text, "shape {2} does not broadcast to {2, 3}");
    CHECK(tensor_load(&to, (int64_t[]){1, 2}) == 5);
    tensor_release(&from);
    tensor_release(&to);
}

static void empty_tensors(void) {
    Tensor to = counting(DTYPE_FLOAT32, shape_of(2, (int64_t)0, (int64_t)3));
    Tensor from = counting(DTYPE_INT32, shape1(3));
    CHECK(tensor_assign(&to, &from, NULL));
    tensor_release(&from);
    tensor_release(&to);
}

static void casts(void) {
    const double value[] = {NAN,   INFINITY, -INFINITY, 1e300, -1e300, 3e9,     -3e9,
                            255.9, 256,      -1,        -0.9,  0x1p63, -0x1p63, 0.3};
    enum { COUNT = sizeof value / sizeof *value };
    const int64_t int64[] = {0,          INT64_MAX,   INT64_MIN, INT64_MAX, INT64_MIN,
                             3000000000, -3000000000, 255,       256,       -1,
                             0,          INT64_MAX,   INT64_MIN, 0};
    const int64_t int32[] = {0,         INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN,
                             INT32_MAX, INT32_MIN, 255,       256,       -1,
                             0,         INT32_MAX, INT32_MIN, 0};
    const int64_t uint8[] = {0, 255, 0, 255, 0, 255, 0, 255, 255, 0, 0, 255, 0, 0};
    Tensor real = counting(DTYPE_FLOAT64, shape1(COUNT)), cast;
    memcpy(real.data, value, sizeof value);
    const struct {
        DType dtype;
        const int64_t *want;
    } cases[] = {{DTYPE_INT64, int64}, {DTYPE_INT32, int32}, {DTYPE_UINT8, uint8}};
    for (int c = 0; c < 3; c++) {
        CHECK(tensor_cast(&real, cases[c].dtype, &cast, NULL));
        for (int64_t i = 0; i < COUNT; i++)
            CHECK(tensor_load_int(&cast, (int64_t[]){i}) == cases[c].want[i]);
        tensor_release(&cast);
    }
    CHECK(tensor_cast(&real, DTYPE_BOOL, &cast, NULL)); /* all but 0 is true, nan too */
    for (int64_t i = 0; i < COUNT; i++)
        CHECK(tensor_load_int(&cast, (int64_t[]){i}) == 1);
    tensor_release(&cast);
    tensor_release(&real);

    Tensor whole = counting(DTYPE_INT64, shape1(2)); /* integers wrap */
    ((int64_t *)(void *)whole.data)[0] = ((int64_t)5 << 32) + 300;
    ((int64_t *)(void *)whole.data)[1] = -1;
    CHECK(tensor_cast(&whole, DTYPE_INT32, &cast, NULL));
    CHECK(tensor_load(&cast, (int64_t[]){0}) == 300 &&
          tensor_load(&cast, (int64_t[]){1}) == -1);
    tensor_release(&cast);
    CHECK(tensor_cast(&whole, DTYPE_UINT8, &cast, NULL));
    CHECK(tensor_load(&cast, (int64_t[]){0}) == 44 &&
          tensor_load(&cast, (int64_t[]){1}) == 255);
    tensor_release(&cast);
    CHECK(tensor_cast(&whole, DTYPE_INT64, &cast, NULL));
    CHECK(cast.buffer != whole.buffer); /* always a copy */
    tensor_release(&cast);
    tensor_release(&whole);
}

static void nothing_is_left(void) {
    CHECK(tensor_alive() == 0);
    tensor_trim();
    CHECK(mem_bytes() == 0);
}

TEST_MAIN(any_layout_and_type, other_elements_are_untouched, overlapping_memory,
          shapes_must_broadcast, empty_tensors, casts, nothing_is_left)
