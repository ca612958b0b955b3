/* Tensors: making, sharing, the free list, views. */
#include "tensor/tensor.h"
#include "base/mem.h"
#include "tensor/buffer.h"
#include "test.h"

static Shape shape1(int64_t a) { return shape_of(1, a); }
static Shape shape2(int64_t a, int64_t b) { return shape_of(2, a, b); }
static Shape shape3(int64_t a, int64_t b, int64_t c) { return shape_of(3, a, b, c); }

/* 0, 1, 2, ... in row-major order. */
static Tensor counting(DType dtype, Shape shape) {
    Tensor t = {0};
    CHECK(tensor_new(&t, dtype, shape, NULL));
    for (int64_t i = 0; i < tensor_size(&t); i++)
        dtype_store(dtype, t.data + i * (int64_t)dtype_size(dtype), (double)i);
    return t;
}

static double at(const Tensor *t, int64_t i, int64_t j) {
    return tensor_load(t, (int64_t[SHAPE_MAX]){i, j});
}

static void new_tensors(void) {
    Tensor t = {0};
    CHECK(tensor_new(&t, DTYPE_FLOAT64, shape2(3, 5), NULL));
    CHECK(tensor_size(&t) == 15 && tensor_bytes(&t) == 120);
    CHECK(t.stride[0] == 5 && t.stride[1] == 1);
    CHECK((uintptr_t)t.data % MEM_ALIGN == 0);
    CHECK(tensor_is_contiguous(&t));
    memset(t.data, 0xFF, tensor_bytes(&t));
    tensor_release(&t);
    CHECK(!t.buffer);
    tensor_release(&t); /* a released tensor is no tensor; nothing happens */

    CHECK(tensor_zero(&t, DTYPE_FLOAT64, shape2(3, 5), NULL)); /* the same memory again */
    double sum = 0;
    for (int i = 0; i < 15; i++) sum += fabs(((double *)(void *)t.data)[i]);
    CHECK(sum == 0);
    tensor_release(&t);

    CHECK(tensor_new(&t, DTYPE_INT32, shape_of(0), NULL));
    CHECK(tensor_size(&t) == 1);
    tensor_release(&t);
    CHECK(tensor_new(&t, DTYPE_INT32, shape2(0, 3), NULL));
    CHECK(tensor_size(&t) == 0 && tensor_is_contiguous(&t));
    tensor_release(&t);
    CHECK(tensor_alive() == 0);
}

static void impossible_tensors(void) {
    Err err = {0};
    Tensor t = {0};
    CHECK(!tensor_new(&t, DTYPE_FLOAT32, shape2(2, -3), &err));
    CHECK_TEXT(err.text, "{2, -3}");
    CHECK(!t.buffer);
    tensor_trim();
    err = (Err){0};
    mem_fail_at(1);
    CHECK(!tensor_zero(&t, DTYPE_FLOAT32, shape2(2, 3), &err));
    CHECK_TEXT(err.text,
               "out of memory: a float32 tensor of shape {2, 3} needs 24 bytes");
    CHECK(!t.buffer && tensor_alive() == 0);
}

static void memory_is_shared(void) {
    Tensor a = counting(DTYPE_INT32, shape1(4));
    Tensor b = tensor_retain(&a);
    CHECK(tensor_alive() == 1 && a.buffer->references == 2);
    tensor_store(&b, (int64_t[]){2}, 50);
    CHECK(tensor_load(&a, (int64_t[]){2}) == 50);
    tensor_release(&a);
    CHECK(tensor_load(&b, (int64_t[]){2}) == 50);
    tensor_release(&b);
    CHECK(tensor_alive() == 0);
    Tensor none = {0}, same = tensor_retain(&none);
    CHECK(!same.buffer);
}

static void freed_buffers_are_used_again(void) {
    tensor_trim();
    size_t bytes = mem_bytes();
    Tensor a, b;
    CHECK(tensor_new(&a, DTYPE_FLOAT32, shape1(1000), NULL));
    void *data = a.data;
    tensor_release(&a);
    uint64_t allocations = mem_allocations();
    CHECK(tensor_new(&a, DTYPE_UINT8, shape1(3900), NULL)); /* the same class */
    CHECK(a.data == data);
    CHECK(a.buffer->bytes == 3900);
    CHECK(mem_allocations() == allocations);
    CHECK(tensor_new(&b, DTYPE_FLOAT32, shape1(1000), NULL));
    CHECK(b.data != data);
    tensor_release(&a);
    tensor_release(&b);
    CHECK(mem_bytes() > bytes);
    tensor_trim();
    CHECK(mem_bytes() == bytes);
}

static void free_list_is_bounded(void) {
    tensor_trim();
    size_t bytes = mem_bytes();
    Tensor t[20];
    for (int i = 0; i < 20; i++)
        CHECK(tensor_new(&t[i], DTYPE_UINT8, shape1((8 << 20) + i * 300000), NULL));
    for (int i = 0; i < 20; i++) tensor_release(&t[i]);
    CHECK(mem_bytes() - bytes <= BUFFER_KEPT + 20 * MEM_ALIGN);
    CHECK(tensor_new(&t[0], DTYPE_UINT8, shape1(BUFFER_KEPT + 1), NULL));
    size_t before = mem_bytes();
    tensor_release(&t[0]);
    CHECK(mem_bytes() <= before - BUFFER_KEPT); /* too large to keep */
    tensor_trim();
    CHECK(mem_bytes() == bytes);
}

static void every_size_has_a_class(void) {
    for (int64_t size = 0; size < 3000; size += 1 + size / 50) {
        Tensor t;
        CHECK(tensor_new(&t, DTYPE_UINT8, shape1(size), NULL));
        memset(t.data, 1,
               (size_t)size); /* the sanitizer sees a class that is too small */
        tensor_release(&t);
    }
    CHECK(tensor_alive() == 0);
    tensor_trim();
}

static void slices(void) {
    Tensor t = counting(DTYPE_FLOAT32, shape2(4, 6)), v;
    CHECK(tensor_slice(&t, (int64_t[]){1, 5}, (int64_t[]){2, 3}, (int64_t[]){1, -2}, &v,
                       NULL));
    CHECK(v.shape.dim[0] == 2 && v.shape.dim[1] == 3);
    CHECK(at(&v, 0, 0) == 11 && at(&v, 0, 2) == 7 && at(&v, 1, 1) == 15);
    CHECK(!tensor_is_contiguous(&v));
    Tensor twice; /* a view of a view: its last column backwards */
    CHECK(tensor_slice(&v, (int64_t[]){1, 2}, (int64_t[]){2, 1}, (int64_t[]){-1, 1},
                       &twice, NULL));
    CHECK(at(&twice, 0, 0) == 13 && at(&twice, 1, 0) == 7);
    tensor_release(&twice);
    tensor_store(&v, (int64_t[]){0, 0}, -1);
    CHECK(at(&t, 1, 5) == -1);
    tensor_release(&v);
    CHECK(tensor_slice(&t, (int64_t[]){9, 0}, (int64_t[]){0, 6}, (int64_t[]){1, 1}, &v,
                       NULL));
    CHECK(tensor_size(&v) == 0);
    tensor_release(&v);
    tensor_release(&t);
}

static void slices_stay_inside(void) {
    Tensor t = counting(DTYPE_INT64, shape2(4, 6)), v = {0};
    const struct {
        int64_t start, count, step;
    } outside[] = {{-1, 1, 1},        {6, 1, 1},         {0, 7, 1}, {1, 4, 2},
                   {4, 6, -1},        {0, -1, 1},        {0, 2, 0}, {5, 2, 1},
                   {0, INT64_MAX, 3}, {5, 2, INT64_MIN}, {0, 2, 6}, {0, 2, -1},
                   {0, 3, INT64_MAX}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        CHECK(!tensor_slice(&t, (int64_t[]){0, outside[i].start},
                            (int64_t[]){4, outside[i].count},
                            (int64_t[]){1, outside[i].step}, &v, NULL));
    Err err = {0};
    CHECK(!tensor_slice(&t, (int64_t[]){0, 2}, (int64_t[]){4, 5}, (int64_t[]){1, 1}, &v,
                        &err));
    CHECK_TEXT(err.text,
               "axis 2 of shape {4, 6} has 6 elements; 5 elements from number 3 on");
    CHECK(!v.buffer && t.buffer->references == 1);
    tensor_release(&t);
}

static void axes_are_dropped(void) {
    Tensor t = counting(DTYPE_UINT8, shape3(2, 1, 3)), v = {0};
    CHECK(tensor_drop_axis(&t, 1, &v, NULL));
    CHECK(v.shape.ndim == 2 && v.shape.dim[0] == 2 && v.shape.dim[1] == 3);
    CHECK(at(&v, 1, 2) == 5);
    tensor_release(&v);
    Err err = {0};
    CHECK(!tensor_drop_axis(&t, 2, &v, &err));
    CHECK_TEXT(err.text, "axis 3 of shape {2, 1, 3} has size 3");
    CHECK(!tensor_drop_axis(&t, 3, &v, NULL) && !tensor_drop_axis(&t, -1, &v, NULL));
    tensor_release(&t);
}

static void axes_are_permuted(void) {
    Tensor t = counting(DTYPE_FLOAT32, shape3(2, 3, 4)), v = {0};
    CHECK(tensor_permute(&t, (int[]){2, 0, 1}, &v, NULL));
    CHECK(v.shape.dim[0] == 4 && v.shape.dim[1] == 2 && v.shape.dim[2] == 3);
    CHECK(tensor_load(&v, (int64_t[]){3, 1, 2}) == 23);
    CHECK(tensor_load(&v, (int64_t[]){1, 0, 2}) == 9);
    tensor_release(&v);
    Err err = {0};
    CHECK(!tensor_permute(&t, (int[]){0, 1, 1}, &v, &err));
    CHECK_TEXT(err.text,
               "{1, 2, 2} does not name each of the 3 axes of shape {2, 3, 4} once");
    CHECK(!tensor_permute(&t, (int[]){0, 1, 3}, &v, NULL));
    CHECK(!tensor_permute(&t, (int[]){0, -1, 2}, &v, NULL));
    tensor_release(&t);
}

static void reshaping(void) {
    Tensor t = counting(DTYPE_FLOAT32, shape2(2, 6)), v = {0}, turned;
    CHECK(tensor_reshape(&t, shape3(3, 2, 2), &v, NULL));
    CHECK(v.data == t.data && v.buffer->references == 2);
    CHECK(tensor_load(&v, (int64_t[]){2, 1, 0}) == 10);
    tensor_release(&v);
    CHECK(tensor_permute(&t, (int[]){1, 0}, &turned, NULL));
    CHECK(tensor_reshape(&turned, shape1(12), &v, NULL));
    CHECK(v.buffer != t.buffer); /* not contiguous: copied */
    CHECK(tensor_load(&v, (int64_t[]){1}) == 6 && tensor_load(&v, (int64_t[]){2}) == 1);
    tensor_release(&v);
    Err err = {0};
    CHECK(!tensor_reshape(&t, shape2(5, 2), &v, &err));
    CHECK_TEXT(err.text, "cannot reshape {2, 6} (12 elements) to {5, 2} (10 elements)");
    CHECK(!tensor_reshape(&t, shape2(-2, -6), &v, NULL));
    tensor_release(&turned);
    tensor_release(&t);
}

static void broadcasting(void) {
    Tensor t = counting(DTYPE_FLOAT32, shape2(3, 1)), v = {0};
    CHECK(tensor_broadcast(&t, shape3(2, 3, 4), &v, NULL));
    CHECK(v.data == t.data && tensor_size(&v) == 24);
    CHECK(tensor_load(&v, (int64_t[]){1, 2, 3}) == 2);
    CHECK(!tensor_is_contiguous(&v));
    tensor_release(&v);
    Err err = {0};
    CHECK(!tensor_broadcast(&t, shape2(4, 4), &v, &err));
    CHECK_TEXT(err.text, "shape {3, 1} does not broadcast to {4, 4}");
    CHECK(!tensor_broadcast(&t, shape1(3), &v, NULL));
    CHECK(!tensor_broadcast(&t, shape3(-1, 3, 1), &v, NULL));
    CHECK(!v.buffer && t.buffer->references == 1);
    tensor_release(&t);
}

static void contiguity(void) {
    Tensor t = counting(DTYPE_INT32, shape2(4, 6)), v, c;
    CHECK(tensor_contiguous(&t, &c, NULL) && c.buffer == t.buffer);
    tensor_release(&c);
    /* Whole rows, and one element of an axis at any step, lie close. */
    CHECK(tensor_slice(&t, (int64_t[]){1, 0}, (int64_t[]){2, 6}, (int64_t[]){1, 1}, &v,
                       NULL));
    CHECK(tensor_is_contiguous(&v));
    tensor_release(&v);
    CHECK(tensor_slice(&t, (int64_t[]){1, 2}, (int64_t[]){1, 3}, (int64_t[]){1, 1}, &v,
                       NULL));
    CHECK(tensor_is_contiguous(&v));
    CHECK(tensor_contiguous(&v, &c, NULL) && c.buffer == t.buffer && c.stride[0] == 3);
    tensor_release(&c);
    tensor_release(&v);
    CHECK(tensor_slice(&t, (int64_t[]){0, 2}, (int64_t[]){2, 3}, (int64_t[]){1, 1}, &v,
                       NULL));
    CHECK(!tensor_is_contiguous(&v));
    CHECK(tensor_contiguous(&v, &c, NULL) && c.buffer != t.buffer);
    CHECK(at(&c, 1, 2) == 10);
    tensor_release(&c);
    mem_fail_at(1);
    tensor_trim();
    CHECK(!tensor_contiguous(&v, &c, NULL));
    tensor_release(&v);
    CHECK(tensor_copy(&t, &c, NULL) && c.buffer != t.buffer && at(&c, 3, 5) == 23);
    tensor_release(&c);
    tensor_release(&t);
}

static void integers_are_exact(void) {
    Tensor t;
    CHECK(tensor_new(&t, DTYPE_INT64, shape1(2), NULL));
    ((int64_t *)(void *)t.data)[1] = ((int64_t)1 << 53) + 1;
    CHECK(tensor_load_int(&t, (int64_t[]){1}) == ((int64_t)1 << 53) + 1);
    tensor_release(&t);
    t = counting(DTYPE_FLOAT32, shape1(3));
    CHECK(tensor_load_int(&t, (int64_t[]){2}) == 2);
    tensor_release(&t);
}

static void nothing_is_left(void) {
    CHECK(tensor_alive() == 0);
    tensor_trim();
    CHECK(mem_bytes() == 0);
}

TEST_MAIN(new_tensors, impossible_tensors, memory_is_shared, freed_buffers_are_used_again,
          free_list_is_bounded, every_size_has_a_class, slices, slices_stay_inside,
          axes_are_dropped, axes_are_permuted, reshaping, broadcasting, contiguity,
          integers_are_exact, nothing_is_left)
