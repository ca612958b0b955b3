/* Convolution and its two gradients. Attributes: see the rows in graph/ops.def. */
#include "kernels/isa/conv.h"

static Conv forward_of(const Call *call) {
    Conv c;
    conv_set(&c, call, &call->in[0], &call->in[1], &call->out[0]);
    if (call->n_in > 2) c.bias = call->in[2].data;
    c.relu = call->n_in > 2 && call->attrs.i[13] == 1;
    c.direct = conv_reads_directly(&c);
    return c;
}

static Conv input_of(const Call *call) {
    Conv c;
    conv_set(&c, call, &call->out[0], &call->in[1], &call->in[0]);
    return c;
}

static Conv kernel_of(const Call *call) {
    Conv c;
    conv_set(&c, call, &call->in[0], &call->out[0], &call->in[1]);
    return c;
}

/* A kernel of one tap on every pixel is a matrix product over all pixels. */
static bool is_pointwise(const Conv *c) {
    for (int k = 0; k < CONV_AXES; k++) {
        const ConvAxis *a = &c->axis[k];
        if (a->kernel != 1 || a->stride != 1 || a->before || a->in != a->out)
            return false;
    }
    return c->groups == 1;
}

/* ---- forward: phase 0 packs the weights, phase 1 computes ---- */

static Gemm forward_product(const Conv *c) {
    return (Gemm){.rows = conv_pixels(c),
                  .columns = c->out,
                  .depth = c->in,
                  .a = c->x,
                  .a_row = c->in,
                  .a_depth = 1,
                  .b = c->w,
                  .b_depth = c->out,
                  .b_column = 1,
                  .c = c->y,
                  .c_row = c->out,
                  .bias = c->bias,
                  .relu = c->relu,
                  .dtype = c->dtype};
}

/* dx = dy w^T */
static Gemm input_product(const Conv *c) {
    return (Gemm){.rows = conv_pixels(c),
                  .columns = c->in,
                  .depth = c->out,
                  .a = c->y,
                  .a_row = c->out,
                  .a_depth = 1,
                  .b = c->w,
                  .b_depth = 1,
                  .b_column = c->out,
                  .c = c->x,
                  .c_row = c->in,
                  .dtype = c->dtype};
}

static int64_t product_parts(const Gemm *g) {
    GemmCut cut = gemm_cut(g->rows, g->columns, g->depth, g->dtype);
    return cut.row_blocks * cut.column_blocks;
}

static void product_run(Gemm *g, int64_t part) {
    GemmCut cut = gemm_cut(g->rows, g->columns, g->depth, g->dtype);
    gemm_narrow(g, &cut, part);
    gemm_run(g);
}

static int64_t cut_parts(const Conv *c) {
    ConvCut cut = conv_cut(c, conv_cut_rows(c));
    return conv_parts(&cut);
}

static ConvPart part_of(const Conv *c, int64_t number) {
    ConvCut cut = conv_cut(c, conv_cut_rows(c));
    return conv_part(c, &cut, number);
}

static bool needs_packing(const Conv *c) {
    return !conv_is_depthwise(c) && !is_pointwise(c);
}

static size_t forward_scratch(const Call *call) {
    Conv c = forward_of(call);
    return needs_packing(&c) ? conv_routines(&c)->pack_bytes(&c, false) : 0;
}

static int64_t forward_pack_parts(const Call *call) {
    Conv c = forward_of(call);
    return needs_packing(&c) ? conv_routines(&c)->pack_parts(&c, false) : KERNEL_NOTHING;
}

static void forward_pack(const Call *call, int64_t part) {
    Conv c = forward_of(call);
    if (needs_packing(&c)) conv_routines(&c)->pack(&c, false, part);
}

static int64_t forward_parts(const Call *call) {
    Conv c = forward_of(call);
    if (!is_pointwise(&c)) return cut_parts(&c);
    Gemm g = forward_product(&c);
    return product_parts(&g);
}

static void forward_run(const Call *call, int64_t part) {
    Conv c = forward_of(call);
    if (!call->out[0].size) return;
    if (is_pointwise(&c)) {
        Gemm g = forward_product(&c);
        product_run(&g, part);
    } else {
        ConvPart own = part_of(&c, part);
        if (conv_is_depthwise(&c))
            conv_routines(&c)->depthwise(&c, &own);
        else
            conv_routines(&c)->forward(&c, &own);
    }
}

static double forward_cost(const Call *call) {
    Conv c = forward_of(call);
    return conv_cost(&c);
}

static double forward_flops(const Call *call) {
    Conv c = forward_of(call);
    return conv_flops(&c);
}

/* ---- with respect to the input ---- */

static size_t input_scratch(const Call *call) {
    Conv c = input_of(call);
    return needs_packing(&c) ? conv_routines(&c)->pack_bytes(&c, true) : 0;
}

static int64_t input_pack_parts(const Call *call) {
    Conv c = input_of(call);
    return needs_packing(&c) ? conv_routines(&c)->pack_parts(&c, true) : KERNEL_NOTHING;
}

static void input_pack(const Call *call, int64_t part) {
    Conv c = input_of(call);
    if (needs_packing(&c)) conv_routines(&c)->pack(&c, true, part);
}

static int64_t input_parts(const Call *call) {
    Conv c = input_of(call);
    if (!is_pointwise(&c)) return cut_parts(&c);
    Gemm g = input_product(&c);
    return product_parts(&g);
}

static void input_run(const Call *call, int64_t part) {
    Conv c = input_of(call);
    if (!call->out[0].size) return;
    if (is_pointwise(&c)) {
        Gemm g = input_product(&c);
        product_run(&g, part);
    } else {
        ConvPart own = part_of(&c, part);
        if (conv_is_depthwise(&c))
            conv_routines(&c)->depthwise_to_input(&c, &own);
        else
            conv_routines(&c)->to_input(&c, &own);
    }
}

static double input_cost(const Call *call) {
    Conv c = input_of(call);
    return conv_cost(&c);
}

static double input_flops(const Call *call) {
    Conv c = input_of(call);
    return conv_flops(&c);
}

/* ---- with respect to the kernel: phase 0 sums slices, phase 1 adds them in order ---- */

static size_t kernel_scratch(const Call *call) {
    Conv c = kernel_of(call);
    ConvSlices cut = conv_slices(&c);
    if (cut.slices == 1) return 0;
    return (size_t)(cut.slices * conv_kernel_size(&c)) * dtype_size(c.dtype);
}

static int64_t kernel_parts(const Call *call) {
    Conv c = kernel_of(call);
    ConvSlices cut = conv_slices(&c);
    return cut.slices * cut.blocks;
}

static void kernel_run(const Call *call, int64_t part) {
    Conv c = kernel_of(call);
    if (!call->out[0].size) return;
    if (conv_is_depthwise(&c))
        conv_routines(&c)->depthwise_to_kernel(&c, part);
    else
        conv_routines(&c)->to_kernel(&c, part);
}

static int64_t sum_parts(const Call *call) {
    Conv c = kernel_of(call);
    if (conv_slices(&c).slices == 1) return KERNEL_NOTHING;
    return chunks(conv_kernel_size(&c), KERNEL_CHUNK);
}

static void sum_run(const Call *call, int64_t part) {
    Conv c = kernel_of(call);
    if (call->out[0].size) conv_routines(&c)->sum_slices(&c, part);
}

static double kernel_cost(const Call *call) {
    Conv c = kernel_of(call);
    return conv_cost(&c);
}

static double kernel_flops(const Call *call) {
    Conv c = kernel_of(call);
    return conv_flops(&c);
}

extern KERNEL(conv);
extern KERNEL(conv_bias);
extern KERNEL(conv_grad_input);
extern KERNEL(conv_grad_kernel);

#define FORWARD                                                                          \
    {                                                                                    \
        .scratch = forward_scratch, .cost = forward_cost, .flops = forward_flops,        \
        .phase = {                                                                       \
            {forward_pack_parts, forward_pack},                                          \
            {forward_parts, forward_run}                                                 \
        }                                                                                \
    }
KERNEL(conv) = FORWARD;
KERNEL(conv_bias) = FORWARD;
KERNEL(conv_grad_input) = {
    .scratch = input_scratch,
    .cost = input_cost,
    .flops = input_flops,
    .phase = {{input_pack_parts, input_pack}, {input_parts, input_run}}};
KERNEL(conv_grad_kernel) = {.scratch = kernel_scratch,
                            .cost = kernel_cost,
                            .flops = kernel_flops,
                            .phase = {{kernel_parts, kernel_run}, {sum_parts, sum_run}}};
