/* The op table: dtypes, shape rules and their messages, and eager runs. */
#include "test.h"
#include "base/pool.h"
#include "graph/call_setup.h"
#include "evaluate.h"

/* clang-format off */
#define B DTYPE_BOOL
#define U8 DTYPE_UINT8
#define I32 DTYPE_INT32
#define I64 DTYPE_INT64
#define F32 DTYPE_FLOAT32
#define F64 DTYPE_FLOAT64
#define NUMBER ((DType)-1)
/* clang-format on */

static void names(void) {
    for (OpId op = 0; op < OP_COUNT; op++) {
        CHECK(op_find(op_table[op].name) == op);
        CHECK(op_table[op].n_in >= -1 && op_table[op].n_in != 0);
        CHECK(op_table[op].n_out >= 1 && op_table[op].n_out <= OP_MAX_OUT);
        CHECK(op_table[op].shape && *op_table[op].doc);
        CHECK(op_kernel(op)->phase[0].run);
        CHECK(call_phases(op_kernel(op)) >= 1);
    }
    CHECK(op_find("frobnicate") == OP_COUNT);
    CHECK(op_find("OP_LEAF_INPUT") == OP_COUNT);
    CHECK_TEXT(op_name(OP_LEAF_CONSTANT), "constant");
}

/* ---- op_cast ---- */

typedef struct CastCase {
    OpId op;
    int n;
    DType in[3]; /* NUMBER: a Lua number, value[k] */
    double value[3];
    DType to[3];
} CastCase;

/* clang-format off */
static const CastCase casts[] = {
    /* between tensors the later dtype wins */
    {OP_add, 2, {F32, I64}, {0}, {F32, F32}}, {OP_add, 2, {U8, I32}, {0}, {I32, I32}},
    {OP_add, 2, {F32, F64}, {0}, {F64, F64}}, {OP_eq, 2, {B, U8}, {0}, {U8, U8}},
    {OP_concat, 3, {B, F32, I64}, {0}, {F32, F32, F32}},
    /* arithmetic has no bools; comparisons do */
    {OP_add, 2, {B, B}, {0}, {I64, I64}}, {OP_neg, 1, {B}, {0}, {I64}},
    {OP_abs, 1, {U8}, {0}, {U8}}, {OP_eq, 2, {B, B}, {0}, {B, B}},
    /* numbers take the tensor's dtype, on either side */
    {OP_mul, 2, {U8, NUMBER}, {0, 3}, {U8, U8}},
    {OP_sub, 2, {NUMBER, F32}, {1}, {F32, F32}},
    {OP_add, 2, {F32, NUMBER}, {0, 0.5}, {F32, F32}},
    {OP_add, 2, {F64, NUMBER}, {0, 1e300}, {F64, F64}},
    /* a fraction makes integers and bools float32, a whole number makes bools int64 */
    {OP_add, 2, {I64, NUMBER}, {0, 0.5}, {F32, F32}},
    {OP_mul, 2, {B, NUMBER}, {0, 0.5}, {F32, F32}},
    {OP_mul, 2, {B, NUMBER}, {0, 2}, {I64, I64}},
    {OP_maximum, 2, {I32, NUMBER}, {0, INFINITY}, {F32, F32}},
    {OP_add, 2, {I32, NUMBER}, {0, NAN}, {F32, F32}},
    /* a comparison sees a number that the dtype cannot hold */
    {OP_lt, 2, {U8, NUMBER}, {0, 300}, {I64, I64}},
    {OP_lt, 2, {U8, NUMBER}, {0, 30}, {U8, U8}},
    {OP_eq, 2, {I32, NUMBER}, {0, 1e10}, {I64, I64}},
    {OP_add, 2, {U8, NUMBER}, {0, 300}, {U8, U8}},
    /* only numbers: float32 */
    {OP_add, 2, {NUMBER, NUMBER}, {1, 2}, {F32, F32}}, {OP_exp, 1, {NUMBER}, {1}, {F32}},
    /* floats wanted */
    {OP_div, 2, {I64, I32}, {0}, {F32, F32}},
    {OP_pow, 2, {I64, NUMBER}, {0, 2}, {F32, F32}},
    {OP_div, 2, {F64, I64}, {0}, {F64, F64}}, {OP_mean, 1, {U8}, {0}, {F32}},
    {OP_matmul, 2, {F32, F64}, {0}, {F64, F64}}, {OP_exp, 1, {B}, {0}, {F32}},
    {OP_dense, 3, {I32, F32, F32}, {0}, {F32, F32, F32}},
    /* the others */
    {OP_sum, 1, {U8}, {0}, {U8}}, {OP_and_, 2, {F32, I64}, {0}, {B, B}},
    {OP_where, 3, {F32, I32, F64}, {0}, {B, F64, F64}},
    {OP_where, 3, {B, NUMBER, NUMBER}, {0, 1, 0}, {B, F32, F32}},
    {OP_where, 3, {B, I32, NUMBER}, {0, 0, 0.5}, {B, F32, F32}},
    {OP_gather, 2, {U8, F32}, {0}, {U8, I64}}, {OP_one_hot, 1, {U8}, {0}, {I64}},
    {OP_dropout, 2, {F32, I64}, {0}, {F32, I64}},
};
/* clang-format on */

static void dtypes(void) {
    for (size_t i = 0; i < sizeof casts / sizeof *casts; i++) {
        const CastCase *c = &casts[i];
        Type in[3];
        bool weak[3];
        DType to[3];
        for (int k = 0; k < c->n; k++) {
            weak[k] = c->in[k] == NUMBER;
            in[k] = (Type){weak[k] ? F64 : c->in[k], shape_of(0)};
        }
        op_cast(c->op, c->n, in, weak, c->value, to);
        for (int k = 0; k < c->n; k++) {
            if (to[k] != c->to[k])
                fprintf(stderr, "case %zu, %s, input %d: %s, wanted %s\n", i,
                        op_name(c->op), k + 1, dtype_name(to[k]), dtype_name(c->to[k]));
            CHECK(to[k] == c->to[k]);
        }
    }
}

/* ---- shape rules ---- */

typedef struct ShapeCase {
    OpId op;
    Attrs attrs;
    int n;
    Type in[4];
    const char *want; /* "float32{2, 3}", or a part of the message */
} ShapeCase;

/* clang-format off */
#define T(dtype, ...) \
    {dtype, {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}}
#define SCALAR(dtype) {dtype, {0, {0}}}
#define NO_ATTRS {{0}, {0}}

static const ShapeCase shapes[] = {
    {OP_add, NO_ATTRS, 2, {T(F32, 2, 3), T(F32, 3)}, "float32{2, 3}"},
    {OP_add, NO_ATTRS, 2, {T(F32, 2, 1), T(F32, 4, 1, 3)}, "float32{4, 2, 3}"},
    {OP_add, NO_ATTRS, 2, {T(F32, 2, 3), T(F32, 4)},
     "shapes {2, 3} and {4} do not broadcast"},
    {OP_add, NO_ATTRS, 1, {T(F32, 2)}, "takes 2 inputs, 1 given"},
    {OP_lt, NO_ATTRS, 2, {T(I64, 2), SCALAR(I64)}, "bool{2}"},
    {OP_isfinite, NO_ATTRS, 1, {T(F64, 2)}, "bool{2}"},
    {OP_where, NO_ATTRS, 3, {T(B, 2, 1), T(F32, 3), SCALAR(F32)}, "float32{2, 3}"},
    {OP_cast, {.i = {U8}}, 1, {T(F32, 2)}, "uint8{2}"},
    {OP_cast, {.i = {17}}, 1, {T(F32, 2)}, "there is no dtype number 17"},
    {OP_sum, {.i = {2}}, 1, {T(U8, 2, 3, 4)}, "int64{2, 4}"},
    {OP_sum, {.i = {5, 1}}, 1, {T(F32, 2, 3, 4)}, "float32{1, 3, 1}"},
    {OP_sum, {.i = {8}}, 1, {T(F32, 2, 3, 4)},
     "axis 4 is out of range for shape {2, 3, 4}"},
    {OP_mean, {.i = {3}}, 1, {T(F32, 2, 3)}, "float32{}"},
    {OP_max, {.i = {2}}, 1, {T(I32, 2, 3)}, "int32{2}"},
    {OP_max, {.i = {2}}, 1, {T(I32, 2, 0)}, "axis 2 of shape {2, 0} is empty"},
    {OP_max, {.i = {1}}, 1, {T(I32, 2, 0)}, "int32{0}"},
    {OP_argmax, {.i = {1, 1}}, 1, {T(F32, 2, 3)}, "int64{2, 1}"},
    {OP_argmax, {.i = {2}}, 1, {T(F32, 2, 3)}, "axis 3 is out of range for shape {2, 3}"},
    {OP_cumsum, {.i = {0}}, 1, {T(B, 4)}, "int64{4}"},
    {OP_reshape, {.i = {2, 3, 2}}, 1, {T(U8, 2, 3)}, "uint8{3, 2}"},
    {OP_reshape, {.i = {2, 3, 3}}, 1, {T(U8, 2, 3)},
     "shape {2, 3} has 6 elements, {3, 3} has 9"},
    {OP_reshape, {.i = {9}}, 1, {T(U8, 1)}, "at most 8 axes, 9 given"},
    {OP_permute, {.i = {2, 0, 1}}, 1, {T(F32, 2, 3, 4)}, "float32{4, 2, 3}"},
    {OP_permute, {.i = {1, 1}}, 1, {T(F32, 2, 3)}, "axis 2 is named twice"},
    {OP_broadcast_to, {.i = {2, 5, 3}}, 1, {T(F32, 3)}, "float32{5, 3}"},
    {OP_broadcast_to, {.i = {1, 3}}, 1, {T(F32, 5, 3)},
     "shape {5, 3} does not broadcast to {3}"},
    {OP_slice, {.i = {4, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0, 0, -4, 1}}, 1, {T(F32, 5, 3)},
     "float32{2, 3}"},
    {OP_slice, {.i = {1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 2}}, 1, {T(F32, 5)},
     "axis 1: 3 elements from 2 in steps of 2 leave shape {5}"},
    {OP_slice, {.i = {0, 0, 0, 0, 0, 0, 3}}, 1, {T(F32, 5)}, "axis 1: the step is 0"},
    {OP_slice, NO_ATTRS, 1, {T(F32, 1, 1, 1, 1, 1, 1, 1)}, "at most 6 axes"},
    {OP_unslice, {.i = {1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 2}}, 1, {T(F32, 2)},
     "float32{5}"},
    {OP_unslice, {.i = {1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 2}}, 1, {T(F32, 2)},
     "leave shape"},
    {OP_pad, {.i = {1, 2, 0, 3}}, 1, {T(F32, 2, 3)}, "float32{5, 6}"},
    {OP_pad, {.i = {-1, 2}}, 1, {T(F32, 2)}, "padding of -1 and 2, wanted 0 or more"},
    {OP_concat, {.i = {1}}, 2, {T(F32, 2, 3), T(F32, 2, 4)}, "float32{2, 7}"},
    {OP_concat, {.i = {1}}, 2, {T(F32, 2, 3), T(F32, 3, 4)},
     "shapes {2, 3} and {3, 4} do not join along axis 2"},
    {OP_gather, {.i = {1}}, 2, {T(F32, 2, 9, 4), T(I64, 5, 6)}, "float32{2, 5, 6, 4}"},
    {OP_scatter, {.i = {1, 9}}, 2, {T(F32, 2, 5, 6, 4), T(I64, 5, 6)},
     "float32{2, 9, 4}"},
    {OP_scatter, {.i = {1, 9}}, 2, {T(F32, 2, 5, 4), T(I64, 6)},
     "values of shape {2, 5, 4}"},
    {OP_take_along, {.i = {1}}, 2, {T(F32, 2, 9), T(I64, 2, 3)}, "float32{2, 3}"},
    {OP_take_along, {.i = {1}}, 2, {T(F32, 2, 9), T(I64, 3, 3)},
     "must be equal but for axis 2"},
    {OP_put_along, {.i = {1, 9}}, 2, {T(F32, 2, 3), T(I64, 2, 3)}, "float32{2, 9}"},
    {OP_put_along, {.i = {1, 9}}, 2, {T(F32, 2, 3), T(I64, 2, 4)}, "must have one shape"},
    {OP_one_hot, {.i = {10}}, 1, {T(I64, 5)}, "float32{5, 10}"},
    {OP_one_hot, NO_ATTRS, 1, {T(I64, 5)}, "0 classes, wanted 1 or more"},
    {OP_matmul, NO_ATTRS, 2, {T(F32, 2, 3), T(F32, 3, 4)}, "float32{2, 4}"},
    {OP_matmul, {.i = {1, 1}}, 2, {T(F32, 7, 1, 3, 2), T(F32, 5, 4, 3)},
     "float32{7, 5, 2, 4}"},
    {OP_matmul, NO_ATTRS, 2, {T(F32, 2, 3), T(F32, 4, 2)},
     "shapes {2, 3} and {4, 2}: the inner sizes 3 and 4 differ"},
    {OP_matmul, NO_ATTRS, 2, {T(F32, 3), T(F32, 3, 2)}, "wanted matrices"},
    {OP_matmul, NO_ATTRS, 2, {T(F32, 2, 1, 3), T(F32, 3, 3, 1)},
     "the axes before the last two do not broadcast"},
    {OP_dense, NO_ATTRS, 3, {T(F32, 6, 7, 3), T(F32, 3, 4), T(F32, 4)},
     "float32{6, 7, 4}"},
    {OP_dense, NO_ATTRS, 3, {T(F32, 7, 2), T(F32, 3, 4), T(F32, 4)},
     "input of shape {7, 2} and weights of shape {3, 4}, wanted {..., K} and {K, N}"},
    {OP_dense, NO_ATTRS, 3, {T(F32, 7, 3), T(F32, 3, 4), T(F32, 3)},
     "bias of shape {3} for weights of shape {3, 4}, wanted {4}"},
    /* strides; padding before and after each axis; dilations; groups, activation; sizes */
    {OP_conv, {.i = {2, 1, 0, 1, 2, 0, 0, 0, 0, 1, 3, 0, 2}}, 2,
     {T(F64, 5, 9, 8, 4), T(F64, 3, 2, 2, 6)}, "float64{5, 5, 5, 6}"},
    {OP_conv, {.i = {1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1}}, 2,
     {T(F32, 0, 4, 5, 6, 1), T(F32, 4, 5, 6, 1, 2)}, "float32{0, 1, 1, 1, 2}"},
    {OP_conv, NO_ATTRS, 2, {T(F32, 4, 5), T(F32, 3, 5)},
     "input of shape {4, 5} and kernel of shape {3, 5}, wanted"},
    {OP_conv, {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1}}, 2,
     {T(F32, 2, 4, 5), T(F32, 3, 4, 5)}, "the kernel is for 4 channels, the input has 5"},
    {OP_conv, {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2}}, 2,
     {T(F32, 2, 4, 5), T(F32, 3, 2, 4)},
     "5 channels and 4 filters do not divide into 2 groups"},
    {OP_conv, {.i = {1, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 1}}, 2,
     {T(F32, 2, 3, 5), T(F32, 3, 5, 4)},
     "the kernel covers 5 places of axis 2, but the input has 3 (4 with padding)"},
    {OP_conv, {.i = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1}}, 2,
     {T(F32, 2, 3, 5), T(F32, 3, 5, 4)}, "must be from 1 to 1073741824, got 0 and 1"},
    {OP_conv, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 1}}, 2,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4)},
     "a stride of 2 together with a dilation of 3 is not supported"},
    {OP_conv, {.i = {1, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 1}}, 2,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4)},
     "padding must be from 0 to 1073741824, got 0 and -1"},
    {OP_conv_bias, {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1}}, 3,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4), T(F32, 4)}, "float32{2, 7, 4}"},
    {OP_conv_bias, {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1}}, 3,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4), T(F32, 5)}, "bias of shape {5} for 4 filters"},
    {OP_conv_bias, {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2}}, 3,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4), T(F32, 4)}, "there is no activation number 2"},
    {OP_conv_pool,
     {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 3, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 1}}, 3,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4), T(F32, 4)}, "float32{2, 3, 4}"},
    {OP_conv_pool,
     {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 8}}, 3,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4), T(F32, 4)}, "the window covers 8 places of axis 2"},
    {OP_conv_pool,
     {.i = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 2}}, 3,
     {T(F32, 2, 9, 5), T(F32, 3, 5, 4), T(F32, 4)}, "there is no pooling number 2"},
    {OP_conv_grad_input, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 8}}, 2,
     {T(F32, 2, 3, 4), T(F32, 3, 5, 4)}, "float32{2, 8, 10}"},
    {OP_conv_grad_input, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 9}}, 2,
     {T(F32, 2, 3, 4), T(F32, 3, 5, 4)},
     "output of shape {2, 3, 4}, but the convolution gives {2, 4, 4}"},
    {OP_conv_grad_kernel, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 3}}, 2,
     {T(F32, 2, 8, 10), T(F32, 2, 3, 4)}, "float32{3, 5, 4}"},
    {OP_conv_grad_kernel, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, -3}}, 2,
     {T(F32, 2, 8, 10), T(F32, 2, 3, 4)}, "negative"},
    /* strides; padding before and after each axis; windows; sizes */
    {OP_max_pool, {.i = {2, 2, 0, 0, 1, 0, 0, 0, 0, 2, 3}}, 1, {T(F32, 6, 9, 9, 7)},
     "float32{6, 5, 4, 7}"},
    {OP_max_pool, {.i = {2, 0, 0, 2, 0, 0, 0, 0, 0, 2}}, 1, {T(F32, 6, 9, 7)},
     "padding must be from 0 to less than the window, got 2 and 0 for a window of 2"},
    {OP_max_pool, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, 1, {T(F32, 6, 9, 7)},
     "windows and strides must be from 1 to 1073741824, got 0 and 2"},
    {OP_average_pool, {.i = {1, 0, 0, 0, 1, 0, 0, 0, 0, 5}}, 1, {T(F32, 6, 3, 7)},
     "the window covers 5 places of axis 2, but the input has 3 (4 with padding)"},
    {OP_average_pool, NO_ATTRS, 1, {T(F32, 6, 3)}, "input of shape {6, 3}, wanted {batch"},
    {OP_max_pool_grad, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 2}}, 2,
     {T(F32, 6, 8, 7), T(F32, 6, 5, 7)},
     "output of shape {6, 5, 7}, but pooling gives {6, 4, 7}"},
    {OP_max_pool_pick, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 2}}, 2,
     {T(F32, 6, 8, 7), T(F32, 6, 4, 7)}, "shapes {6, 8, 7} and {6, 4, 7}, wanted the same"},
    {OP_average_pool_grad, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 9}}, 1,
     {T(F32, 6, 4, 7)}, "float32{6, 9, 7}"},
    {OP_softmax, NO_ATTRS, 1, {SCALAR(F32)}, "a scalar, wanted at least one axis"},
    {OP_sparse_softmax_crossentropy, NO_ATTRS, 2, {T(F32, 8, 5, 10), T(I64, 8, 5)},
     "float32{8, 5}"},
    {OP_sparse_softmax_crossentropy, NO_ATTRS, 2, {T(F32, 8, 10), T(I64, 8, 1)},
     "labels of shape {8, 1} for predictions of shape {8, 10}, wanted {8}"},
    {OP_softmax_crossentropy, NO_ATTRS, 2, {T(F32, 8, 10), T(F32, 8, 9)},
     "wanted equal shapes"},
    {OP_random_normal, {.i = {0, F64, 2, 3, 4}}, 1, {T(I64, 2)}, "float64{3, 4}"},
    {OP_random_normal, {.i = {0, F32}}, 1, {T(I64, 3)},
     "a key of type int64{3}, wanted int64{2}"},
    {OP_dropout, {.i = {0, 0, 2, 3, 1}, .f = {0.5}}, 2, {T(F32, 3, 4), T(I64, 2)},
     "float32{3, 4}"},
    {OP_dropout, {.i = {0, 0, 1, 3}}, 2, {T(F32, 3, 4), T(I64, 2)},
     "does not broadcast to"},
    {OP_dropout, {.i = {0, 0, 0}, .f = {1.5}}, 2, {T(F32, 3), T(I64, 2)},
     "a rate of 1.5"},
    {OP_sgd_update, NO_ATTRS, 3, {T(F32, 3, 4), T(F32, 3, 4), SCALAR(F32)},
     "float32{3, 4}"},
    {OP_sgd_update, NO_ATTRS, 3, {T(F32, 3, 4), T(F32, 4), SCALAR(F32)},
     "input 2 has shape {4}, wanted the parameter's shape {3, 4}"},
    {OP_sgd_update, NO_ATTRS, 3, {T(F32, 3), T(F32, 3), T(F32, 1)}, "wanted a scalar"},
    {OP_sgd_update, NO_ATTRS, 3, {T(F64, 3), T(F64, 3), SCALAR(F64)}, "wanted float32"},
    {OP_sgd_rows, NO_ATTRS, 4, {T(F32, 3, 4), T(F32, 2, 5, 4), SCALAR(F32), T(I64, 2, 10)},
     "float32{3, 4}"},
    {OP_sgd_rows, NO_ATTRS, 4, {T(F32, 3, 4), T(F32, 2, 5, 3), SCALAR(F32), T(I64, 2, 10)},
     "input 2 has shape {2, 5, 3}, wanted slices of the parameter's {3, 4}"},
    {OP_sgd_rows, NO_ATTRS, 4, {T(F32, 3, 4), T(F32, 2, 5, 4), SCALAR(F32), T(I64, 2, 9)},
     "input 4 is int64{2, 9}, wanted the order of 10 slices, int64"},
    {OP_sgd_rows, NO_ATTRS, 4, {T(F32, 3), T(F32, 5), SCALAR(F32), T(F32, 2, 5)},
     "input 4 is float32{2, 5}, wanted the order of 5 slices"},
    {OP_index_order, {.i = {9}}, 1, {T(I64, 2, 5)}, "int64{2, 10}"},
    {OP_index_order, {.i = {-1}}, 1, {T(I64, 2)}, "an axis of size -1"},
};
/* clang-format on */

static void shape_rules(void) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const ShapeCase *c = &shapes[i];
        Type out[OP_MAX_OUT];
        Err err = {0};
        char text[SHAPE_TEXT + 16], shape[SHAPE_TEXT];
        if (op_types(c->op, &c->attrs, c->n, c->in, out, &err))
            snprintf(text, sizeof text, "%s%s", dtype_name(out[0].dtype),
                     shape_text(&out[0].shape, shape));
        if (!strstr(err.set ? err.text : text, c->want))
            fprintf(stderr, "case %zu, %s:\n", i, op_name(c->op));
        CHECK_TEXT(err.set ? err.text : text, c->want);
    }
}

static void several_outputs(void) {
    Type out[OP_MAX_OUT];
    Err err = {0};
    Type logits = T(F64, 8, 10), labels = T(I64, 8), p = T(F32, 3), scalar = SCALAR(F32);
    CHECK(op_types(OP_sparse_softmax_crossentropy, NULL, 2, (Type[]){logits, labels}, out,
                   &err));
    CHECK(out[0].shape.ndim == 1 && out[0].dtype == F64);
    CHECK(out[1].shape.ndim == 2 && out[1].shape.dim[1] == 10);
    CHECK(op_types(OP_sort, NULL, 1, &logits, out, &err));
    CHECK(out[0].dtype == F64 && out[1].dtype == I64 &&
          shape_equal(&out[1].shape, &logits.shape));

    Type s = scalar, step = SCALAR(I64);
    CHECK(op_types(OP_adam_update, NULL, 9, (Type[]){p, p, p, p, s, s, s, s, step}, out,
                   &err));
    CHECK(shape_equal(&out[2].shape, &p.shape));
    CHECK(op_types(OP_rmsprop_update, NULL, 9, (Type[]){p, p, s, s, p, s, s, s, s}, out,
                   &err));
    CHECK(out[1].shape.ndim == 1 && out[2].shape.ndim == 0 && out[3].shape.ndim == 0);
    CHECK(op_types(OP_momentum_update, NULL, 5, (Type[]){p, p, p, s, s}, out, &err));
    CHECK(shape_equal(&out[1].shape, &p.shape));
    CHECK(!err.set);
}

/* ---- op_run ---- */

static void runs_casts_and_strides(void) {
    Err err = {0};
    Tensor a =
        tensor_of(shape_of(2, INT64_C(2), INT64_C(3)), (double[]){1, 2, 3, 4, 5, 6});
    Tensor b = integers_of(shape_of(1, INT64_C(2)), (int64_t[]){10, 20}), turned, out;
    CHECK(tensor_permute(&a, (int[]){1, 0}, &turned, &err)); /* {3, 2}, not contiguous */
    CHECK(op_run(OP_add, NULL, 2, (Tensor[]){turned, b}, &out, &err));
    CHECK(out.dtype == F64 && out.shape.dim[0] == 3);
    CHECK(element(&out, 0) == 11 && element(&out, 1) == 24 && element(&out, 5) == 26);
    tensor_release(&out);

    CHECK(op_run(OP_reshape, &(Attrs){.i = {1, 6}}, 1, &a, &out, &err));
    CHECK(out.buffer == a.buffer && out.data == a.data);
    tensor_release(&out);
    CHECK(op_run(OP_stop_gradient, NULL, 1, &a, &out, &err));
    CHECK(out.buffer == a.buffer);
    tensor_release(&out);
    CHECK(op_run(OP_reshape, &(Attrs){.i = {1, 6}}, 1, &turned, &out, &err));
    CHECK(out.buffer != a.buffer && element(&out, 1) == 4);
    tensor_release(&out);
    tensor_release(&turned);
    tensor_release(&a);
    tensor_release(&b);
}

static void runs_report(void) {
    Err err = {0};
    Tensor x = tensor_of(shape_of(1, INT64_C(3)), (double[]){1, 2, 3}), out = {0};
    Tensor far = integers_of(shape_of(1, INT64_C(2)), (int64_t[]){0, 7});
    Tensor half = tensor_of(shape_of(1, INT64_C(2)), (double[]){0, 0.5});
    Tensor whole = tensor_of(shape_of(1, INT64_C(2)), (double[]){2, 0});
    CHECK(!op_run(OP_gather, NULL, 2, (Tensor[]){x, far}, &out, &err));
    CHECK_TEXT(err.text, "gather: index 7");
    CHECK(!out.buffer);
    err = (Err){0};
    CHECK(!op_run(OP_gather, NULL, 2, (Tensor[]){x, half}, &out, &err));
    CHECK_TEXT(err.text, "gather: ");
    CHECK_TEXT(err.text, "0.5");
    CHECK(!out.buffer);
    err = (Err){0};
    CHECK(op_run(OP_gather, NULL, 2, (Tensor[]){x, whole}, &out, &err));
    CHECK(element(&out, 0) == 3 && element(&out, 1) == 1);
    tensor_release(&out);
    CHECK(!op_run(OP_add, NULL, 2, (Tensor[]){x, far}, &out, &err));
    CHECK_TEXT(err.text, "add: shapes {3} and {2} do not broadcast");
    err = (Err){0};
    CHECK(!op_run(OP_add, NULL, 0, NULL, &out, &err));
    CHECK_TEXT(err.text, "add: takes");
    tensor_release(&x);
    tensor_release(&far);
    tensor_release(&half);
    tensor_release(&whole);
}

/* Every failing allocation gives an error, and nothing leaks or is half made. */
static void runs_out_of_memory(void) {
    Tensor a = tensor_of(shape_of(2, INT64_C(64), INT64_C(64)), (double[64 * 64]){1}),
           turned;
    CHECK(tensor_permute(&a, (int[]){1, 0}, &turned, NULL));
    int failures = 0;
    for (int n = 1; n < 20; n++) {
        Tensor out[2] = {{0}};
        Err err = {0};
        tensor_trim();
        int64_t alive = tensor_alive();
        mem_fail_at(n);
        bool done = op_run(OP_sort, NULL, 1, &turned, out, &err);
        mem_fail_at(0);
        CHECK(done != err.set);
        if (!done) CHECK(tensor_alive() == alive && !out[0].buffer);
        failures += !done;
        if (done) {
            tensor_release(&out[0]);
            tensor_release(&out[1]);
        }
    }
    CHECK(failures >= 3 && failures < 19);
    tensor_release(&turned);
    tensor_release(&a);
}

/* Large enough for the pool: the bits do not depend on the number of threads. */
static void threads_agree(void) {
    int64_t n = 1 << 18;
    Tensor x, first = {0}, out;
    Err err = {0};
    CHECK(tensor_new(&x, F32, shape_of(1, n), &err));
    for (int64_t k = 0; k < n; k++) ((float *)x.data)[k] = sinf((float)k);
    OpId ops[] = {OP_exp, OP_sum, OP_softmax};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        for (int threads = 1; threads <= 5; threads += 2) {
            pool_set_threads(threads);
            CHECK(op_run(ops[i], &(Attrs){.i = {1}}, 1, &x, &out, &err));
            if (threads == 1) first = tensor_retain(&out);
            CHECK(!memcmp(first.data, out.data, tensor_bytes(&out)));
            tensor_release(&out);
        }
        tensor_release(&first);
    }
    pool_stop();
    tensor_release(&x);
}

static void costs(void) {
    Operand in[2], out[1];
    Call call;
    Type big = T(F32, 4096, 4096), small = T(F32, 8);
    const Kernel *kernel = op_kernel(OP_add);
    call_init(&call, kernel, NULL, 2, (Type[]){big, big}, in, 1, &big, out);
    double cost = call_cost(kernel, &call);
    CHECK(in[1].size == 4096 * 4096 && in[1].data == NULL && call.n_out == 1);
    CHECK(call_parts(kernel, &call, 0) > 1);
    call_init(&call, kernel, NULL, 2, (Type[]){small, small}, in, 1, &small, out);
    CHECK(call_cost(kernel, &call) < 20000 && cost > 20000);
    CHECK(call_parts(kernel, &call, 0) == 1 && call_scratch(kernel, &call) == 0);
}

static void nothing_left(void) {
    CHECK(tensor_alive() == 0);
    tensor_trim();
    CHECK(mem_bytes() == 0);
}

TEST_MAIN(names, dtypes, shape_rules, several_outputs, runs_casts_and_strides,
          runs_report, runs_out_of_memory, threads_agree, costs, nothing_left)
