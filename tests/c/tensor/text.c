/* Tensors as text. */
#include "base/mem.h"
#include "tensor/tensor.h"
#include "test.h"

static bool prints(DType dtype, Shape shape, const double value[], const char *want) {
    Tensor t;
    if (!tensor_new(&t, dtype, shape, NULL)) return false;
    for (int64_t i = 0; i < tensor_size(&t); i++)
        dtype_store(dtype, t.data + i * (int64_t)dtype_size(dtype), value[i]);
    char *text = tensor_text(&t);
    bool same = text && strcmp(text, want) == 0;
    if (!same) fprintf(stderr, "got:\n%s\nwanted:\n%s\n", text ? text : "(null)", want);
    mem_free(text);
    tensor_release(&t);
    return same;
}

static Shape shape1(int64_t a) { return shape_of(1, a); }
static Shape shape2(int64_t a, int64_t b) { return shape_of(2, a, b); }

static void forms_of_numbers(void) {
    CHECK(prints(DTYPE_FLOAT32, shape2(2, 2), (double[]){1, 2, 3, 4},
                 "tensor float32 {2, 2}\n[[1, 2],\n [3, 4]]"));
    CHECK(prints(DTYPE_FLOAT32, shape_of(0), (double[]){3.5}, "tensor float32 {}\n3.5"));
    CHECK(prints(DTYPE_FLOAT64, shape1(3), (double[]){0.5, -10.25, 1.0 / 3},
                 "tensor float64 {3}\n[  0.5000, -10.2500,   0.3333]"));
    CHECK(prints(DTYPE_FLOAT32, shape1(3), (double[]){0.5, -10.25, 2},
                 "tensor float32 {3}\n[  0.50, -10.25,   2.00]"));
    CHECK(prints(DTYPE_FLOAT32, shape1(4), (double[]){NAN, INFINITY, -INFINITY, 2},
                 "tensor float32 {4}\n[ nan,  inf, -inf,    2]"));
    CHECK(prints(DTYPE_FLOAT32, shape1(2), (double[]){1, 50000},
                 "tensor float32 {2}\n[    1, 50000]"));
    CHECK(prints(DTYPE_BOOL, shape1(2), (double[]){1, 0},
                 "tensor bool {2}\n[ true, false]"));
    CHECK(prints(DTYPE_INT32, shape1(3), (double[]){-5, 0, 1000},
                 "tensor int32 {3}\n[  -5,    0, 1000]"));
    CHECK(prints(DTYPE_UINT8, shape1(0), NULL, "tensor uint8 {0}\n[]"));
}

static void exponents(void) {
    CHECK(prints(DTYPE_FLOAT32, shape1(2), (double[]){1.5e-7, 0},
                 "tensor float32 {2}\n[1.5e-07, 0.0e+00]"));
    CHECK(prints(DTYPE_FLOAT64, shape1(2), (double[]){1e9, 1},
                 "tensor float64 {2}\n[1e+09, 1e+00]"));
    CHECK(prints(DTYPE_FLOAT64, shape1(2), (double[]){2000.5, 0.25},
                 "tensor float64 {2}\n[2.0005e+03, 2.5000e-01]"));
    CHECK(prints(DTYPE_FLOAT64, shape1(3), (double[]){1e308, -1e-308, NAN},
                 "tensor float64 {3}\n[ 1e+308, -1e-308,     nan]"));
}

static void large_integers_are_exact(void) {
    Tensor t;
    CHECK(tensor_new(&t, DTYPE_INT64, shape1(1), NULL));
    *(int64_t *)(void *)t.data = INT64_MAX;
    char *text = tensor_text(&t);
    CHECK_TEXT(text, "[9223372036854775807]");
    mem_free(text);
    tensor_release(&t);
}

static void brackets_and_blank_lines(void) {
    double value[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    CHECK(
        prints(DTYPE_UINT8, shape_of(3, (int64_t)2, (int64_t)2, (int64_t)2), value,
               "tensor uint8 {2, 2, 2}\n[[[1, 2],\n  [3, 4]],\n\n [[5, 6],\n  [7, 8]]]"));
    double row[30];
    for (int i = 0; i < 30; i++) row[i] = 100 + i;
    CHECK(prints(
        DTYPE_INT32, shape1(30), row,
        "tensor int32 {30}\n"
        "[100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114,\n"
        " 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129]"));
}

static void long_axes_are_cut(void) {
    Tensor t, turned;
    CHECK(tensor_new(&t, DTYPE_INT32, shape2(100, 50), NULL));
    for (int i = 0; i < 5000; i++) ((int32_t *)(void *)t.data)[i] = i;
    char *text = tensor_text(&t);
    CHECK(strcmp(text, "tensor int32 {100, 50}\n"
                       "[[   0,    1,    2, ...,   47,   48,   49],\n"
                       " [  50,   51,   52, ...,   97,   98,   99],\n"
                       " [ 100,  101,  102, ...,  147,  148,  149],\n"
                       " ...,\n"
                       " [4850, 4851, 4852, ..., 4897, 4898, 4899],\n"
                       " [4900, 4901, 4902, ..., 4947, 4948, 4949],\n"
                       " [4950, 4951, 4952, ..., 4997, 4998, 4999]]") == 0);
    mem_free(text);
    CHECK(
        tensor_permute(&t, (int[]){1, 0}, &turned, NULL)); /* views print as they look */
    text = tensor_text(&turned);
    CHECK_TEXT(text,
               "tensor int32 {50, 100}\n[[   0,   50,  100, ..., 4850, 4900, 4950],\n");
    mem_free(text);
    tensor_release(&turned);
    tensor_release(&t);
}

static void many_axes_stay_bounded(void) {
    Tensor t;
    Shape shape = {.ndim = 8, .dim = {6, 6, 6, 6, 6, 6, 6, 6}};
    CHECK(tensor_zero(&t, DTYPE_BOOL, shape, NULL));
    char *text = tensor_text(&t);
    CHECK(text && strlen(text) < 20000);
    mem_free(text);
    tensor_release(&t);
}

static void no_memory_gives_null(void) {
    Tensor t;
    CHECK(tensor_zero(&t, DTYPE_FLOAT32, shape1(900), NULL));
    size_t bytes = mem_bytes();
    int failures = 0;
    for (int n = 1; n < 100; n++) {
        mem_fail_at(n);
        char *text = tensor_text(&t);
        mem_fail_at(0);
        mem_free(text);
        CHECK(mem_bytes() == bytes);
        if (text) break;
        failures++;
    }
    CHECK(failures > 2 && failures < 99);
    tensor_release(&t);
}

TEST_MAIN(forms_of_numbers, exponents, large_integers_are_exact, brackets_and_blank_lines,
          long_axes_are_cut, many_axes_stay_bounded, no_memory_gives_null)
