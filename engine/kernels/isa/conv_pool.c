/* Convolution, bias, activation and pooling in one pass: the convolution's result is never
 * whole in memory. A part makes a strip of it, some places along the outermost axis, which
 * stays in the cache of its core, and pools the strip. Both are done by the routines of
 * the rows conv_bias and max_pool: a strip is a convolution of its own, whose padding is
 * as much less as the strip begins later. What no window reads is not computed. */
#include "kernels/isa/pool.h"

/* A strip is about so large, or as large as one row of windows needs. */
enum { STRIP_BYTES = 32 << 10 };

/* Both, and how they are cut: parts are blocks of images and of the pooling's outputs along
 * its outermost axis; `images` images and `outputs` of these outputs make a strip. */
typedef struct Joint {
    Conv conv;
    Pool pool;
    bool mean;
    ConvCut cut;
    int axis;
    int64_t images, outputs;
    int64_t strip_bytes, pack_bytes; /* in scratch */
} Joint;

static int64_t whole_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/* The places that windows [outputs) read. */
static Span places_read(const ConvAxis *pool, Span outputs) {
    int64_t begin = outputs.begin * pool->stride - pool->before;
    int64_t end = (outputs.end - 1) * pool->stride - pool->before + pool->kernel;
    return span_within(begin, end, pool->in);
}

/* An axis of both, for some of its windows. */
static void narrow_axis(ConvAxis *conv, ConvAxis *pool, Span outputs) {
    Span read = places_read(pool, outputs);
    conv->before -= read.begin * conv->stride;
    conv->out = pool->in = read.end - read.begin;
    pool->before += read.begin - outputs.begin * pool->stride;
    pool->out = outputs.end - outputs.begin;
}

/* Bytes of the convolution of one image that so many outputs read at most. */
static int64_t bytes_read(const Joint *j, int64_t outputs) {
    const ConvAxis *a = &j->pool.axis[j->axis];
    int64_t rest = pool_places_in(&j->pool) / a->in * j->pool.channels;
    int64_t places = least(a->in, (outputs - 1) * a->stride + a->kernel);
    return places * rest * (int64_t)dtype_size(j->conv.dtype);
}

static void cut_strips(Joint *j) {
    const int64_t all = j->pool.axis[j->axis].out;
    j->cut = conv_cut(&j->conv);
    j->cut.rows = least(j->cut.rows, all);
    int64_t images = chunks(j->conv.images, j->cut.images);
    int64_t outputs = chunks(all, j->cut.rows);
    int64_t strips = least(outputs, chunks(bytes_read(j, outputs), STRIP_BYTES));
    j->outputs = chunks(outputs, strips);
    int64_t bytes = bytes_read(j, j->outputs);
    j->images = strips > 1 ? 1 : most(1, least(images, STRIP_BYTES / bytes));
    j->strip_bytes = whole_lines(j->images * bytes);
}

static Joint joint_of(const Call *call) {
    const int64_t *i = call->attrs.i;
    const Shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    Operand y = {.shape = *x};
    int axes = x->ndim - 2;
    for (int k = 0; k < axes; k++) {
        int64_t wide = (w->dim[k] - 1) * i[9 + k] + 1;
        y.shape.dim[1 + k] =
            (x->dim[1 + k] + i[3 + 2 * k] + i[4 + 2 * k] - wide) / i[k] + 1;
    }
    y.shape.dim[axes + 1] = w->dim[axes + 1];
    Joint j = {.conv = conv_of(call, &call->in[0], &call->in[1], &y),
               .pool = pool_of(i + 14, &y.shape, &call->out[0].shape)};
    j.conv.bias = call->in[2].data;
    j.conv.relu = i[13] == 1;
    j.mean = i[26] == 1;
    j.axis = pool_cut_axis(&j.pool);
    for (int k = 0; k < CONV_AXES; k++)
        narrow_axis(&j.conv.axis[k], &j.pool.axis[k], (Span){0, j.pool.axis[k].out});
    if (!conv_is_depthwise(&j.conv)) {
        size_t bytes = conv_routines(&j.conv)->pack_bytes(&j.conv, false);
        j.pack_bytes = whole_lines((int64_t)bytes);
    }
    cut_strips(&j);
    return j;
}

/* Some outputs of some images, by way of a strip. */
static void strip_run(const Joint *j, char *y, char *strip, Span images, Span outputs) {
    static const ConvCut whole = {1, 1};
    Conv c = j->conv;
    Pool p = j->pool;
    const int64_t element = (int64_t)dtype_size(c.dtype);
    const int64_t before = images.begin * pool_places_out(&p) +
                           outputs.begin * (pool_places_out(&p) / p.axis[j->axis].out);
    const int64_t step = pool_places_out(&p) * p.channels * element;
    narrow_axis(&c.axis[j->axis], &p.axis[j->axis], outputs);
    c.images = images.end - images.begin;
    c.x = (char *)c.x +
          images.begin * c.axis[0].in * c.axis[1].in * c.axis[2].in * c.in * element;
    c.y = strip;
    if (conv_is_depthwise(&c))
        conv_routines(&c)->depthwise(&c, &whole, 0);
    else
        conv_routines(&c)->forward(&c, &whole, 0);
    const Span all = {0, pool_places_out(&p)};
    y += before * p.channels * element;
    for (int64_t n = 0; n < c.images; n++, y += step) {
        const char *x = strip + n * pool_places_in(&p) * p.channels * element;
        if (j->mean)
            pool_routines(c.dtype)->mean(&p, x, y, all);
        else
            pool_routines(c.dtype)->max(&p, x, x, y, all);
    }
}

/* ---- phase 0 packs the weights, phase 1 computes ---- */

static int64_t joint_parts(const Call *call) {
    Joint j = joint_of(call);
    return j.cut.images * j.cut.rows;
}

static void joint_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Joint j = joint_of(call);
    int64_t i = part / j.cut.rows, k = part % j.cut.rows, all = j.pool.axis[j.axis].out;
    Span images = {j.conv.images * i / j.cut.images,
                   j.conv.images * (i + 1) / j.cut.images};
    Span outputs = {all * k / j.cut.rows, all * (k + 1) / j.cut.rows};
    char *strip = (char *)call->scratch + j.pack_bytes + part * j.strip_bytes;
    for (int64_t n = images.begin; n < images.end; n += j.images)
        for (int64_t o = outputs.begin; o < outputs.end; o += j.outputs)
            strip_run(&j, call->out[0].data, strip,
                      (Span){n, least(n + j.images, images.end)},
                      (Span){o, least(o + j.outputs, outputs.end)});
}

static size_t joint_scratch(const Call *call) {
    Joint j = joint_of(call);
    return (size_t)(j.pack_bytes + j.cut.images * j.cut.rows * j.strip_bytes);
}

static int64_t pack_parts(const Call *call) {
    Joint j = joint_of(call);
    return j.pack_bytes ? conv_routines(&j.conv)->pack_parts(&j.conv, false) : 1;
}

static void pack_run(const Call *call, int64_t part) {
    Joint j = joint_of(call);
    if (j.pack_bytes) conv_routines(&j.conv)->pack(&j.conv, false, part);
}

static double joint_cost(const Call *call) {
    Joint j = joint_of(call);
    return conv_cost(&j.conv);
}

static double joint_flops(const Call *call) {
    Joint j = joint_of(call);
    return conv_flops(&j.conv);
}

extern KERNEL(conv_pool);
KERNEL(conv_pool) = {.scratch = joint_scratch,
                     .cost = joint_cost,
                     .flops = joint_flops,
                     .phase = {{pack_parts, pack_run}, {joint_parts, joint_run}}};
