#include "graph/call_setup.h"

static void operand_init(Operand *operand, const Type *type) {
    *operand = (Operand){
        .size = shape_size(&type->shape), .dtype = type->dtype, .shape = type->shape};
}

void call_init(Call *call, const Kernel *kernel, const Attrs *attrs, int n_in,
               const Type in[], Operand *in_operands, int n_out, const Type out[],
               Operand *out_operands) {
    *call = (Call){.n_in = n_in, .n_out = n_out, .in = in_operands, .out = out_operands};
    if (attrs) call->attrs = *attrs;
    for (int k = 0; k < n_in; k++) operand_init(&in_operands[k], &in[k]);
    for (int k = 0; k < n_out; k++) operand_init(&out_operands[k], &out[k]);
    if (kernel->prepare) kernel->prepare(call);
}

size_t call_scratch(const Kernel *kernel, const Call *call) {
    return kernel->scratch ? kernel->scratch(call) : 0;
}

static double operand_bytes(const Operand *operand) {
    return (double)operand->size * (double)dtype_size(operand->dtype);
}

double call_bytes(const Kernel *kernel, const Call *call) {
    if (kernel->bytes) return kernel->bytes(call);
    double bytes = 0;
    for (int k = 0; k < call->n_in; k++) bytes += operand_bytes(&call->in[k]);
    for (int k = 0; k < call->n_out; k++) bytes += operand_bytes(&call->out[k]);
    return bytes;
}

/* Memory from the second-level cache or beyond, on one core: about 10 bytes a
 * nanosecond. */
double call_cost(const Kernel *kernel, const Call *call) {
    if (kernel->cost) return kernel->cost(call);
    return 30 + call_bytes(kernel, call) / 10;
}

int call_phases(const Kernel *kernel) {
    int phases = 0;
    while (phases < KERNEL_PHASES && kernel->phase[phases].run) phases++;
    return phases;
}

int64_t call_parts(const Kernel *kernel, const Call *call, int phase) {
    int64_t (*parts)(const Call *) = kernel->phase[phase].parts;
    int64_t count = parts ? parts(call) : 1;
    if (count == KERNEL_NOTHING) return 0;
    return count < 1 ? 1 : count;
}
