/* op_run: an op on concrete tensors, now. */
#include <string.h>
#include "base/mem.h"
#include "base/pool.h"
#include "graph/call_setup.h"
#include "kernels/fault.h"

/* Below this many nanoseconds on one thread, waking the pool does not pay. */
enum { WORTH_WAKING = 20000 };

typedef struct Run {
    const Kernel *kernel;
    const Call *call;
} Run;

static void run_call(void *context, int thread, int threads) {
    const Run *run = context;
    int phases = call_phases(run->kernel);
    for (int phase = 0; phase < phases; phase++) {
        long first, last;
        long parts = (long)call_parts(run->kernel, run->call, phase);
        if (!parts) continue;
        pool_share(parts, thread, threads, &first, &last);
        for (long part = first; part < last; part++)
            run->kernel->phase[phase].run(run->call, part);
        if (threads > 1 && phase + 1 < phases) pool_barrier();
    }
}

static bool fail(Err *err, OpId op, const char *text) {
    return err_set(err, "%s: %s", op_name(op), text);
}

static void release_all(int count, Tensor tensors[]) {
    for (int k = 0; k < count; k++) tensor_release(&tensors[k]);
}

/* reshape and stop_gradient compute nothing: the result shares contiguous memory. */
static bool run_view(OpId op, const Tensor *in, const Type *type, Tensor *out, Err *err) {
    if (op == OP_reshape) return tensor_reshape(in, type->shape, out, err);
    *out = tensor_retain(in);
    return true;
}

/* Calls the kernel on contiguous inputs of the right dtypes. out holds fresh tensors. */
static bool run_kernel(OpId op, const Attrs *attrs, int n_in, const Type in_types[],
                       const Tensor in[], const Type out_types[], Tensor out[],
                       Err *err) {
    const Kernel *kernel = op_kernel(op);
    int n_out = op_table[op].n_out;
    Operand in_operands[OP_MAX_IN], out_operands[OP_MAX_OUT];
    Call call;
    call_init(&call, kernel, attrs, n_in, in_types, in_operands, n_out, out_types,
              out_operands);
    for (int k = 0; k < n_in; k++) in_operands[k].data = in[k].data;
    for (int k = 0; k < n_out; k++) out_operands[k].data = out[k].data;

    size_t bytes = call_scratch(kernel, &call);
    if (bytes && !(call.scratch = mem_alloc(bytes)))
        return err_set(err, "%s: out of memory (%zu bytes of working space)", op_name(op),
                       bytes);
    Fault fault = FAULT_NONE;
    call.fault = &fault;
    Run run = {kernel, &call};
    if (call_cost(kernel, &call) > WORTH_WAKING)
        pool_run(run_call, &run);
    else
        pool_run1(run_call, &run);
    mem_free(call.scratch);
    return fault.set ? fail(err, op, fault.text) : true;
}

static bool run_typed(OpId op, const Attrs *attrs, int n_in, const Type types[],
                      const Tensor in[], Tensor out[], Err *err) {
    int n_out = op_table[op].n_out;
    Type out_types[OP_MAX_OUT];
    Tensor made[OP_MAX_OUT];
    Err local = {0};
    if (!op_types(op, attrs, n_in, types, out_types, &local))
        return fail(err, op, local.text);
    if (op == OP_reshape || op == OP_stop_gradient)
        return run_view(op, &in[0], &out_types[0], out, err);
    for (int k = 0; k < n_out; k++) {
        made[k].buffer = NULL;
        if (tensor_new(&made[k], out_types[k].dtype, out_types[k].shape, &local))
            continue;
        release_all(k, made);
        return fail(err, op, local.text);
    }
    if (!run_kernel(op, attrs, n_in, types, in, out_types, made, err)) {
        release_all(n_out, made);
        return false;
    }
    for (int k = 0; k < n_out; k++) out[k] = made[k];
    return true;
}

/* The input as the kernel wants it: contiguous and of this dtype. */
static bool prepare_input(OpId op, const Tensor *given, DType dtype, bool integral,
                          Tensor *ready, Err *err) {
    if (given->dtype == dtype) return tensor_contiguous(given, ready, err);
    Attrs cast = {.i = {dtype, integral}};
    Err local = {0};
    if (op_run(OP_cast, &cast, 1, given, ready, &local)) return true;
    /* "cast: index 2.5 is not ..." is the outer op's complaint. */
    static const char inner[] = "cast: ";
    bool named = !strncmp(local.text, inner, sizeof inner - 1);
    return fail(err, op, local.text + (named ? sizeof inner - 1 : 0));
}

bool op_run(OpId op, const Attrs *attrs, int n_in, const Tensor in[], Tensor out[],
            Err *err) {
    if (n_in < 1 || n_in > OP_MAX_IN)
        return err_set(err, "%s: takes 1 to %d inputs, %d given", op_name(op), OP_MAX_IN,
                       n_in);
    Type types[OP_MAX_IN];
    DType to[OP_MAX_IN];
    Tensor ready[OP_MAX_IN];
    for (int k = 0; k < n_in; k++) types[k] = (Type){in[k].dtype, in[k].shape};
    op_cast(op, n_in, types, NULL, NULL, to);
    for (int k = 0; k < n_in; k++) {
        bool integral = op_table[op].cast == CAST_INDEX &&
                        dtype_is_float(types[k].dtype) && to[k] == DTYPE_INT64;
        if (!prepare_input(op, &in[k], to[k], integral, &ready[k], err)) {
            release_all(k, ready);
            return false;
        }
        types[k].dtype = to[k];
    }
    bool done = run_typed(op, attrs, n_in, types, ready, out, err);
    release_all(n_in, ready);
    return done;
}
