#include "test.h"
#include "data/class_weight.h"

static const ClassWeight weights[] = {{0, 0.5}, {2, 3}, {-1, 7}};

static void check(Tensor *y, const float want[], int n) {
    Tensor out = {0};
    Err err = {0};
    CHECK(class_weight_apply(y, 3, weights, &out, &err));
    CHECK(out.dtype == DTYPE_FLOAT32 && out.shape.ndim == 1 && out.shape.dim[0] == n);
    for (int i = 0; i < n; i++) CHECK(((float *)out.data)[i] == want[i]);
    tensor_release(&out);
    tensor_release(y);
}

static void labels(void) {
    Tensor y = {0}, column = {0};
    tensor_new(&y, DTYPE_INT32, shape_of(1, (int64_t)4), NULL);
    memcpy(y.data, (int32_t[]){2, 0, 1, -1}, 16);
    check(&y, (float[]){3, 0.5f, 1, 7}, 4);
    tensor_new(&column, DTYPE_FLOAT32, shape_of(2, (int64_t)3, (int64_t)1), NULL);
    memcpy(column.data, (float[]){1.9f, 0.2f, 5}, 12); /* rounded: 2, 0, 5 */
    check(&column, (float[]){3, 0.5f, 1}, 3);
}

static void one_hot_rows(void) {
    Tensor y = {0};
    tensor_new(&y, DTYPE_UINT8, shape_of(2, (int64_t)3, (int64_t)3), NULL);
    memcpy(y.data, (uint8_t[]){0, 0, 1, 1, 0, 0, 0, 1, 0}, 9);
    check(&y, (float[]){3, 0.5f, 1}, 3);
}

static void refuses_other_shapes(void) {
    Tensor y = {0}, out = {0};
    Err err = {0};
    tensor_new(&y, DTYPE_FLOAT32, shape_of(3, (int64_t)2, (int64_t)2, (int64_t)2), NULL);
    CHECK(!class_weight_apply(&y, 3, weights, &out, &err));
    CHECK_TEXT(err.text, "y is {2, 2, 2}");
    CHECK(out.buffer == NULL);
    tensor_release(&y);
}

TEST_MAIN(labels, one_hot_rows, refuses_other_shapes)
