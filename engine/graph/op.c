#include "graph/op.h"
#include <math.h>
#include <string.h>
#include "graph/call_setup.h"
#include "graph/ops/rules.h"
#include "kernels/isa.h"

#if defined(__x86_64__)
#define OP(id, n_in, n_out, cast, shape, grad, kernel, doc)                              \
    extern const Kernel kernel_##kernel##_base, kernel_##kernel##_avx2,                  \
        kernel_##kernel##_avx512;
#define KERNELS(name)                                                                    \
    { &kernel_##name##_base, &kernel_##name##_avx2, &kernel_##name##_avx512 }
#else
#define OP(id, n_in, n_out, cast, shape, grad, kernel, doc)                              \
    extern const Kernel kernel_##kernel##_base;
#define KERNELS(name)                                                                    \
    { &kernel_##name##_base, &kernel_##name##_base, &kernel_##name##_base }
#endif
#include "graph/ops.def"
#undef OP

#define grad_none NULL
const OpDef op_table[OP_COUNT] = {
#define OP(id, inputs, outputs, cast_rule, shape_rule, grad_rule, kernel_name, text)     \
    [OP_##id] = {.name = #id,                                                            \
                 .n_in = inputs,                                                         \
                 .n_out = outputs,                                                       \
                 .cast = cast_rule,                                                      \
                 .shape = types_##shape_rule,                                            \
                 .grad = grad_##grad_rule,                                               \
                 .kernel = KERNELS(kernel_name),                                         \
                 .doc = text},
#include "graph/ops.def"
#undef OP
};
#undef grad_none

OpId op_find(const char *name) {
    for (OpId op = 0; op < OP_COUNT; op++)
        if (!strcmp(op_table[op].name, name)) return op;
    return OP_COUNT;
}

const Kernel *op_kernel(OpId op) { return op_table[op].kernel[isa_get()]; }

const char *op_name(OpId op) {
    switch ((int)op) {
    case OP_LEAF_INPUT:
        return "input";
    case OP_LEAF_VARIABLE:
        return "variable";
    case OP_LEAF_CONSTANT:
        return "constant";
    case OP_OUTPUT:
        return "output";
    default:
        return op_table[op].name;
    }
}

/* ---- dtypes (api.md 1.3) ---- */

/* Integral and representable in int64. */
static bool is_integral(double value) {
    return value >= -0x1p63 && value < 0x1p63 && value == trunc(value);
}

static bool dtype_holds(DType dtype, double value) {
    switch (dtype) {
    case DTYPE_BOOL:
        return value == 0 || value == 1;
    case DTYPE_UINT8:
        return value >= 0 && value <= 255;
    case DTYPE_INT32:
        return value >= INT32_MIN && value <= INT32_MAX;
    default:
        return true;
    }
}

/* The promoted dtype of the inputs from `first` on. A weak number takes the tensors'
 * dtype, except that a fraction makes integers float32 and an integral number makes bools
 * int64. In comparisons, whose result has no trace of it, a number that the integer dtype
 * cannot hold also makes int64, so that `bytes:lt(300)` is true. */
static DType common_dtype(int first, int n_in, const Type in[], const bool weak[],
                          const double value[], bool comparing) {
    DType common = DTYPE_BOOL;
    bool any = false;
    for (int k = first; k < n_in; k++) {
        if (weak && weak[k]) continue;
        common = any ? dtype_promote(common, in[k].dtype) : in[k].dtype;
        any = true;
    }
    if (!any) return DTYPE_FLOAT32;
    for (int k = first; weak && k < n_in; k++) {
        if (!weak[k] || dtype_is_float(common)) continue;
        if (!is_integral(value[k]))
            common = DTYPE_FLOAT32;
        else if (common == DTYPE_BOOL)
            common = DTYPE_INT64;
        else if (comparing && !dtype_holds(common, value[k]))
            common = DTYPE_INT64;
    }
    return common;
}

static DType float_dtype(DType dtype) {
    return dtype_is_float(dtype) ? dtype : DTYPE_FLOAT32;
}

void op_cast(OpId op, int n_in, const Type in[], const bool weak[], const double value[],
             DType to[]) {
    CastRule rule = op_table[op].cast;
    for (int k = 0; k < n_in; k++) to[k] = weak && weak[k] ? DTYPE_FLOAT32 : in[k].dtype;
    if (rule == CAST_NONE || n_in == 0) return;
    if (rule == CAST_FLOAT1) {
        to[0] = float_dtype(to[0]);
        return;
    }
    if (rule == CAST_INDEX) {
        to[n_in - 1] = DTYPE_INT64;
        return;
    }
    int first = rule == CAST_SECOND ? 1 : 0;
    DType common = common_dtype(first, n_in, in, weak, value, rule == CAST_COMMON);
    if (rule == CAST_ARITH && common == DTYPE_BOOL) common = DTYPE_INT64;
    if (rule == CAST_FLOAT) common = float_dtype(common);
    if (rule == CAST_BOOL) common = DTYPE_BOOL;
    if (rule == CAST_SECOND) to[0] = DTYPE_BOOL;
    for (int k = first; k < n_in; k++) to[k] = common;
}

/* ---- types ---- */

bool op_types(OpId op, const Attrs *attrs, int n_in, const Type in[], Type out[],
              Err *err) {
    static const Attrs no_attrs;
    const OpDef *row = &op_table[op];
    if (row->n_in >= 0 && n_in != row->n_in)
        return err_set(err, "takes %d inputs, %d given", row->n_in, n_in);
    if (n_in < 1 || n_in > OP_MAX_IN)
        return err_set(err, "takes 1 to %d inputs, %d given", OP_MAX_IN, n_in);
    Type types[OP_MAX_OUT];
    if (!row->shape(attrs ? attrs : &no_attrs, n_in, in, types, err)) return false;
    for (int k = 0; k < row->n_out; k++)
        if (!shape_check(&types[k].shape, dtype_size(types[k].dtype), err)) return false;
    memcpy(out, types, (size_t)row->n_out * sizeof *out);
    return true;
}
