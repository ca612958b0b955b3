/* Shapes: sizes, limits, broadcasting, text. */
#include "tensor/shape.h"
#include "tensor/dtype.h"
#include "test.h"

static void sizes_and_strides(void) {
    int64_t stride[SHAPE_MAX];
    Shape scalar = shape_of(0), shape = shape_of(3, (int64_t)2, (int64_t)3, (int64_t)4);
    CHECK(shape_size(&scalar) == 1);
    CHECK(shape_size(&shape) == 24);
    shape_strides(&shape, stride);
    CHECK(stride[0] == 12 && stride[1] == 4 && stride[2] == 1);
    Shape empty = shape_of(2, (int64_t)3, (int64_t)0);
    CHECK(shape_size(&empty) == 0);
}

static void equality(void) {
    Shape a = shape_of(2, (int64_t)2, (int64_t)3), b = a;
    CHECK(shape_equal(&a, &b));
    b.dim[1] = 4;
    CHECK(!shape_equal(&a, &b));
    b = shape_of(3, (int64_t)2, (int64_t)3, (int64_t)1);
    CHECK(!shape_equal(&a, &b));
}

static void impossible_shapes(void) {
    Err err = {0};
    Shape negative = shape_of(2, (int64_t)2, (int64_t)-1);
    CHECK(!shape_check(&negative, 4, &err));
    CHECK_TEXT(err.text, "shape {2, -1}");
    CHECK_TEXT(err.text, "axis 2");

    err = (Err){0};
    Shape large = shape_of(2, (int64_t)1 << 31, (int64_t)1 << 30);
    CHECK(shape_check(&large, 2, NULL)); /* 2^62 bytes just fit */
    CHECK(!shape_check(&large, 4, &err));
    CHECK_TEXT(err.text, "{2147483648, 1073741824}");
    CHECK_TEXT(err.text, "too large");
    Shape hidden = shape_of(3, (int64_t)0, (int64_t)1 << 40, (int64_t)1 << 40);
    CHECK(!shape_check(&hidden, 1, NULL)); /* empty, but its strides do not fit */

    err = (Err){0};
    Shape deep = {.ndim = SHAPE_MAX + 1};
    CHECK(!shape_check(&deep, 1, &err));
    CHECK_TEXT(err.text, "at most 8 axes, this one 9");
}

static bool broadcasts(Shape a, Shape b, Shape want) {
    Shape ab = {0}, ba = {0};
    return shape_broadcast(&a, &b, &ab, NULL) && shape_broadcast(&b, &a, &ba, NULL) &&
           shape_equal(&ab, &want) && shape_equal(&ba, &want);
}

static void broadcasting(void) {
    const int64_t one = 1, two = 2, three = 3, four = 4, none = 0;
    CHECK(broadcasts(shape_of(0), shape_of(2, two, three), shape_of(2, two, three)));
    CHECK(
        broadcasts(shape_of(1, three), shape_of(2, two, three), shape_of(2, two, three)));
    CHECK(broadcasts(shape_of(2, two, one), shape_of(2, one, three),
                     shape_of(2, two, three)));
    CHECK(broadcasts(shape_of(3, four, one, three), shape_of(2, two, one),
                     shape_of(3, four, two, three)));
    CHECK(broadcasts(shape_of(1, one), shape_of(1, none), shape_of(1, none)));

    Err err = {0};
    Shape a = shape_of(2, two, three), b = shape_of(1, four),
          out = shape_of(1, (int64_t)77);
    CHECK(!shape_broadcast(&a, &b, &out, &err));
    CHECK_TEXT(err.text, "shapes {2, 3} and {4} do not broadcast");
    CHECK(out.ndim == 1 && out.dim[0] == 77);
    Shape zero = shape_of(1, none), wide = shape_of(1, two);
    CHECK(!shape_broadcast(&zero, &wide, &out, NULL));
    Shape tall = shape_of(2, (int64_t)1 << 40, one),
          broad = shape_of(1, (int64_t)1 << 40);
    CHECK(!shape_broadcast(&tall, &broad, &out, NULL)); /* 2^80 elements */
}

static void text(void) {
    char buffer[SHAPE_TEXT];
    Shape scalar = shape_of(0), row = shape_of(1, (int64_t)7);
    CHECK(strcmp(shape_text(&scalar, buffer), "{}") == 0);
    CHECK(strcmp(shape_text(&row, buffer), "{7}") == 0);
    Shape longest = {.ndim = SHAPE_MAX};
    for (int i = 0; i < SHAPE_MAX; i++) longest.dim[i] = INT64_MIN;
    shape_text(&longest, buffer);
    CHECK(strlen(buffer) == 8 * 20 + 7 * 2 + 2);
    CHECK(buffer[strlen(buffer) - 1] == '}');
}

static void dtypes(void) {
    DType dtype = DTYPE_BOOL;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        CHECK(dtype_parse(dtype_name((DType)i), &dtype) && dtype == (DType)i);
    }
    CHECK(!dtype_parse("float16", &dtype));
    CHECK(dtype == DTYPE_FLOAT64);
    CHECK(dtype_size(DTYPE_BOOL) == 1 && dtype_size(DTYPE_INT32) == 4);
    CHECK(dtype_size(DTYPE_INT64) == 8 && dtype_size(DTYPE_FLOAT32) == 4);
    CHECK(dtype_promote(DTYPE_UINT8, DTYPE_INT32) == DTYPE_INT32);
    CHECK(dtype_promote(DTYPE_FLOAT32, DTYPE_INT64) == DTYPE_FLOAT32);
    CHECK(dtype_promote(DTYPE_BOOL, DTYPE_BOOL) == DTYPE_BOOL);
    CHECK(dtype_is_float(DTYPE_FLOAT32) && !dtype_is_float(DTYPE_INT64));
    CHECK(dtype_is_int(DTYPE_UINT8) && !dtype_is_int(DTYPE_BOOL));
}

static void single_elements(void) {
    _Alignas(8) unsigned char element[8];
    for (int i = 0; i < DTYPE_COUNT; i++) {
        dtype_store((DType)i, element, 1);
        CHECK(dtype_load((DType)i, element) == 1);
    }
    dtype_store(DTYPE_BOOL, element, 0.5);
    CHECK(dtype_load(DTYPE_BOOL, element) == 1);
    dtype_store(DTYPE_INT32, element, -2.75);
    CHECK(dtype_load(DTYPE_INT32, element) == -2);
    dtype_store(DTYPE_FLOAT32, element, 0.1);
    CHECK(dtype_load(DTYPE_FLOAT32, element) == (double)0.1f);
}

TEST_MAIN(sizes_and_strides, equality, impossible_shapes, broadcasting, text, dtypes,
          single_elements)
