/* Convolution, bias, activation and pooling in one pass: the convolution's result is never
 * whole in memory. A part makes a strip of it, some places along the outermost axis, which
 * stays in the cache of its core, and pools the strip. Both are done by the routines of
 * the rows conv_bias and max_pool: a strip is a convolution of its own, whose padding is
 * as much less as the strip begins later. What no window reads is not computed. */
#include <string.h>
#include "kernels/isa/pool.h"

/* A strip is about so large, or as large as one row of windows needs. */
enum { STRIP_BYTES = 32 << 10 };

/* Parts are blocks of images, of channels, and of the pooling's outputs along its outermost
 * axis; `images` images and `outputs` of these outputs make a strip. */
typedef struct Strips {
    ConvCut parts;
    int64_t images, outputs;
    int64_t bytes, pack_bytes; /* in scratch: a strip, the packed weights */
} Strips;

/* Both, and how they are cut. */
typedef struct Joint {
    Conv conv;
    Pool pool;
    bool mean;
    int axis;
    Strips strips;
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

static Strips strips_of(const Joint *j) {
    const int64_t all = j->pool.axis[j->axis].out;
    int64_t rows = j->axis == 0 ? all : least(all, conv_cut_rows(&j->conv));
    Strips s = {.parts = conv_cut(&j->conv, rows)};
    int64_t images = chunks(j->conv.images, s.parts.images);
    int64_t outputs = chunks(all, s.parts.rows);
    int64_t strips = least(outputs, chunks(bytes_read(j, outputs), STRIP_BYTES));
    s.outputs = chunks(outputs, strips);
    int64_t bytes = bytes_read(j, s.outputs);
    s.images = strips > 1 ? 1 : most(1, least(images, STRIP_BYTES / bytes));
    s.bytes = whole_lines(s.images * bytes);
    if (!conv_is_depthwise(&j->conv))
        s.pack_bytes =
            whole_lines((int64_t)conv_routines(&j->conv)->pack_bytes(&j->conv, false));
    return s;
}

/* The call's notes: the places that windows read along each axis of the convolution, then
 * Strips. */
enum { NOTE_PLACES = 0, NOTE_STRIPS = CONV_AXES };

/* Both as they stand in the call, not cut yet. */
static void joint_begin(Joint *j, const Call *call) {
    const int64_t *i = call->attrs.i;
    Operand y;
    y.data = NULL;
    y.shape = call->out[0].shape;
    for (int k = 0; k < y.shape.ndim - 2; k++)
        y.shape.dim[1 + k] = call->note[NOTE_PLACES + k];
    conv_set(&j->conv, call, &call->in[0], &call->in[1], &y);
    pool_set(&j->pool, i + 14, &y.shape, &call->out[0].shape);
    j->mean = i[26] == 1;
    j->conv.bias = call->in[2].data;
    j->conv.relu = i[13] == 1;
    j->conv.direct = conv_reads_directly(&j->conv);
    j->axis = pool_cut_axis(&j->pool);
}

static void joint_prepare(Call *call) {
    const int64_t *i = call->attrs.i;
    const Shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    for (int k = 0; k < x->ndim - 2; k++) {
        int64_t wide = (w->dim[k] - 1) * i[9 + k] + 1;
        int64_t all = (x->dim[1 + k] + i[3 + 2 * k] + i[4 + 2 * k] - wide) / i[k] + 1;
        int64_t read = (call->out[0].shape.dim[1 + k] - 1) * i[14 + k] - i[17 + 2 * k];
        call->note[NOTE_PLACES + k] = least(all, read + i[23 + k]);
    }
    Joint j;
    joint_begin(&j, call);
    j.strips = strips_of(&j);
    memcpy(call->note + NOTE_STRIPS, &j.strips, sizeof j.strips);
}

static Joint joint_of(const Call *call) {
    Joint j;
    joint_begin(&j, call);
    memcpy(&j.strips, call->note + NOTE_STRIPS, sizeof j.strips);
    return j;
}

/* Some channels of some outputs of some images, by way of a strip. */
static void strip_run(const Joint *j, char *y, char *strip, Span images, Span channels,
                      Span outputs) {
    Conv c = j->conv;
    Pool p = j->pool;
    const int64_t element = (int64_t)dtype_size(c.dtype), pixel = p.pixel * element;
    const int64_t step = pool_places_out(&p) * pixel;
    y += images.begin * step + outputs.begin * (step / p.axis[j->axis].out);
    narrow_axis(&c.axis[j->axis], &p.axis[j->axis], outputs);
    c.images = images.end - images.begin;
    c.x = (char *)c.x +
          images.begin * c.axis[0].in * c.axis[1].in * c.axis[2].in * c.in * element;
    c.y = strip;
    const ConvPart whole = {{0, c.images}, channels, 0, 1};
    if (conv_is_depthwise(&c))
        conv_routines(&c)->depthwise(&c, &whole);
    else
        conv_routines(&c)->forward(&c, &whole);
    if (j->strips.parts.channels > 1) {
        p.channels = channels.end - channels.begin;
        y += channels.begin * element;
        strip += channels.begin * element;
    }
    const Span all = {0, pool_places_out(&p)};
    for (int64_t n = 0; n < c.images; n++) {
        const char *x = strip + n * pool_places_in(&p) * pixel;
        if (j->mean)
            pool_routines(c.dtype)->mean(&p, x, y + n * step, all);
        else
            pool_routines(c.dtype)->max(&p, x, x, y + n * step, all);
    }
}

/* ---- phase 0 packs the weights, phase 1 computes ---- */

static int64_t joint_parts(const Call *call) {
    Joint j = joint_of(call);
    return conv_parts(&j.strips.parts);
}

static void joint_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Joint j = joint_of(call);
    ConvPart own = conv_part(&j.conv, &j.strips.parts, part);
    int64_t all = j.pool.axis[j.axis].out;
    Span outputs = {all * own.row / own.rows, all * (own.row + 1) / own.rows};
    char *strip = (char *)call->scratch + j.strips.pack_bytes + part * j.strips.bytes;
    for (int64_t n = own.images.begin; n < own.images.end; n += j.strips.images)
        for (int64_t o = outputs.begin; o < outputs.end; o += j.strips.outputs)
            strip_run(&j, call->out[0].data, strip,
                      (Span){n, least(n + j.strips.images, own.images.end)}, own.channels,
                      (Span){o, least(o + j.strips.outputs, outputs.end)});
}

static size_t joint_scratch(const Call *call) {
    Joint j = joint_of(call);
    return (size_t)(j.strips.pack_bytes + conv_parts(&j.strips.parts) * j.strips.bytes);
}

static int64_t pack_parts(const Call *call) {
    Joint j = joint_of(call);
    return j.strips.pack_bytes ? conv_routines(&j.conv)->pack_parts(&j.conv, false)
                               : KERNEL_NOTHING;
}

static void pack_run(const Call *call, int64_t part) {
    Joint j = joint_of(call);
    if (j.strips.pack_bytes) conv_routines(&j.conv)->pack(&j.conv, false, part);
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
KERNEL(conv_pool) = {.prepare = joint_prepare,
                     .scratch = joint_scratch,
                     .cost = joint_cost,
                     .flops = joint_flops,
                     .phase = {{pack_parts, pack_run}, {joint_parts, joint_run}}};
