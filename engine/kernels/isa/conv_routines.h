/* The routines of convolutions of one REAL: packing of weights, and how parts of a call
 * become work for the loops. Included once for each REAL, which names CONV_ROUTINES. */
#ifndef CDL_KERNELS_ISA_CONV_ROUTINES_H
#define CDL_KERNELS_ISA_CONV_ROUTINES_H
#include "kernels/isa/conv_depthwise.h"
#include "kernels/isa/conv_pixels.h"
#include "kernels/isa/conv_weights.h"

/* ---- weights in the order in which tiles read them ----
 *
 * Blocks of output channels, each tap after tap, in each tap channel after channel, whole
 * vectors. To the input, what were outputs are summed and taps run backwards; with strides
 * the taps fall into phases, which lie one after the other. */

static int64_t whole_vectors(int64_t n) { return chunks(n, VW) * VW; }

static int64_t packed_group(const Conv *c, bool to_input) {
    int64_t in = c->in / c->groups, out = c->out / c->groups;
    return conv_taps(c) * (to_input ? out * whole_vectors(in) : in * whole_vectors(out));
}

static size_t pack_bytes(const Conv *c, bool to_input) {
    if (!conv_kernel_size(c) || c->direct) return 0;
    return (size_t)(c->groups * packed_group(c, to_input)) * sizeof(REAL);
}

static int64_t pack_parts(const Conv *c, bool to_input) {
    return c->direct ? KERNEL_NOTHING : conv_taps(c);
}

/* One phase of the input's pixels along an axis: those that stride and padding bring to
 * the same taps. */
typedef struct Phase {
    int64_t first,
        taps;      /* pixels first, first + stride, ...; taps phase, phase + stride */
    ConvAxis axis; /* the convolution of y with those taps, backwards */
} Phase;

static Phase phase_of(const ConvAxis *a, int64_t phase) {
    Phase p = {.first = (phase - a->before) % a->stride};
    if (p.first < 0) p.first += a->stride;
    p.taps = phase < a->kernel ? (a->kernel - phase + a->stride - 1) / a->stride : 0;
    p.axis = (ConvAxis){
        .in = a->out,
        .out = p.first < a->in ? (a->in - p.first + a->stride - 1) / a->stride : 0,
        .kernel = p.taps,
        .stride = 1,
        .dilation = a->dilation,
        .before = (p.taps - 1) * a->dilation - (p.first + a->before - phase) / a->stride};
    return p;
}

/* Taps of all phases before (i, j, k). */
static int64_t taps_before(const Conv *c, const int64_t phase[CONV_AXES]) {
    int64_t taps[CONV_AXES], below[CONV_AXES];
    for (int n = 0; n < CONV_AXES; n++) {
        below[n] = 0;
        for (int64_t i = 0; i < phase[n]; i++) below[n] += phase_of(&c->axis[n], i).taps;
        taps[n] = phase_of(&c->axis[n], phase[n]).taps;
    }
    return below[0] * c->axis[1].kernel * c->axis[2].kernel +
           taps[0] * below[1] * c->axis[2].kernel + taps[0] * taps[1] * below[2];
}

/* One block of one tap: `width` lanes for each of depth rows, of which `real` exist. */
static void pack_block(const REAL *restrict w, int64_t w_depth, int64_t w_channel,
                       int64_t depth, int64_t real, int64_t width, REAL *restrict to) {
    for (int64_t k = 0; k < depth; k++, w += w_depth, to += width) {
        if (w_channel == 1)
            memcpy(to, w, (size_t)real * sizeof(REAL));
        else
            for (int64_t n = 0; n < real; n++) to[n] = w[n * w_channel];
        for (int64_t n = real; n < width; n++) to[n] = 0;
    }
}

static void pack(const Conv *c, bool to_input, int64_t tap) {
    if (!pack_bytes(c, to_input)) return;
    const int64_t in = c->in / c->groups, out = c->out / c->groups;
    const ConvAxis *a = c->axis;
    int64_t at[CONV_AXES] = {tap / (a[1].kernel * a[2].kernel),
                             tap / a[2].kernel % a[1].kernel, tap % a[2].kernel};
    int64_t before = 0, place = tap, taps = conv_taps(c);
    if (to_input) {
        int64_t phase[CONV_AXES];
        place = 0;
        taps = 1;
        for (int k = 0; k < CONV_AXES; k++) {
            phase[k] = at[k] % a[k].stride;
            int64_t count = phase_of(&a[k], phase[k]).taps;
            place = place * count + count - 1 - at[k] / a[k].stride;
            taps *= count;
        }
        before = taps_before(c, phase);
    }
    const int64_t depth = to_input ? out : in, channels = to_input ? in : out;
    for (int64_t g = 0; g < c->groups; g++) {
        const REAL *w = (const REAL *)c->w + tap * in * c->out + g * out;
        REAL *to = (REAL *)c->scratch + g * packed_group(c, to_input) +
                   before * depth * whole_vectors(channels);
        for (int64_t j = 0; j < channels;) {
            int64_t width = block_vectors(channels - j) * VW;
            int64_t step = to_input ? c->out : 1;
            pack_block(w + j * step, to_input ? 1 : c->out, step, depth,
                       least(width, channels - j), width,
                       to + taps * depth * j + place * depth * width);
            j += width;
        }
    }
}

/* ---- parts ---- */

static void forward(const Conv *c, const ConvPart *part) {
    const int64_t in = c->in / c->groups, out = c->out / c->groups;
    Pixels p = {.depth = in,
                .channels = out,
                .relu = c->relu,
                .one_row = conv_one_row(c),
                .w_row = c->direct ? c->out : 0};
    memcpy(p.axis, c->axis, sizeof p.axis);
    set_steps(c->axis, true, c->in, p.x_step, &p.x_image);
    set_steps(c->axis, false, c->out, p.y_step, &p.y_image);
    list_few(&p);
    for (int64_t g = 0; g < c->groups; g++) {
        p.x = (const REAL *)c->x + g * in;
        p.y = (REAL *)c->y + g * out;
        p.bias = c->bias ? (const REAL *)c->bias + g * out : NULL;
        p.weights = c->direct ? (const REAL *)c->w + g * out
                              : (const REAL *)c->scratch + g * packed_group(c, false);
        pixels_run(&p, part);
    }
}

/* One group's input pixels of one phase along each axis. */
static void to_input_phase(const Conv *c, int64_t g, const int64_t number[CONV_AXES],
                           const ConvPart *part) {
    const int64_t in = c->in / c->groups, out = c->out / c->groups;
    Pixels p = {.depth = out, .channels = in, .one_row = conv_one_row(c)};
    set_steps(c->axis, false, c->out, p.x_step, &p.x_image);
    set_steps(c->axis, true, c->in, p.y_step, &p.y_image);
    p.x = (const REAL *)c->y + g * out;
    p.y = (REAL *)c->x + g * in;
    for (int k = 0; k < CONV_AXES; k++) {
        Phase phase = phase_of(&c->axis[k], number[k]);
        p.axis[k] = phase.axis;
        p.y += phase.first * p.y_step[k];
        p.y_step[k] *= c->axis[k].stride;
    }
    p.weights = (const REAL *)c->scratch + g * packed_group(c, true) +
                taps_before(c, number) * out * whole_vectors(in);
    ConvPart all = *part;
    all.channels = (Span){0, in};
    pixels_run(&p, &all);
}

static void to_input(const Conv *c, const ConvPart *part) {
    const ConvAxis *a = c->axis;
    int64_t i[CONV_AXES];
    for (int64_t g = 0; g < c->groups; g++)
        for (i[0] = 0; i[0] < a[0].stride; i[0]++)
            for (i[1] = 0; i[1] < a[1].stride; i[1]++)
                for (i[2] = 0; i[2] < a[2].stride; i[2]++) to_input_phase(c, g, i, part);
}

/* The first slice is the output itself when it is the only one. */
static REAL *slice_of(const Conv *c, const ConvSlices *cut, int64_t slice) {
    if (cut->slices == 1) return c->w;
    return (REAL *)c->scratch + slice * conv_kernel_size(c);
}

static Span slice_rows(const Conv *c, const ConvSlices *cut, int64_t slice) {
    int64_t rows = conv_rows(c);
    return (Span){rows * slice / cut->slices, rows * (slice + 1) / cut->slices};
}

static void to_kernel(const Conv *c, int64_t part) {
    const ConvSlices cut = conv_slices(c);
    int64_t slice = part / cut.blocks, i = part % cut.blocks;
    Weights s = weights_of(c, slice_of(c, &cut, slice));
    Span units = {s.units * i / cut.blocks, s.units * (i + 1) / cut.blocks};
    weights_run(&s, slice_rows(c, &cut, slice), units);
}

static void sum_slices(const Conv *c, int64_t part) {
    const ConvSlices cut = conv_slices(c);
    if (cut.slices == 1) return;
    const int64_t size = conv_kernel_size(c), begin = part * KERNEL_CHUNK;
    const int64_t n = least(KERNEL_CHUNK, size - begin);
    REAL *restrict w = (REAL *)c->w + begin;
    const REAL *slices = (const REAL *)c->scratch + begin;
    memcpy(w, slices, (size_t)n * sizeof(REAL));
    for (int64_t s = 1; s < cut.slices; s++) {
        const REAL *restrict more = slices + s * size;
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) w[i] += more[i];
    }
}

static void depthwise(const Conv *c, const ConvPart *part) {
    depthwise_rows(c, false, part->images, part->row, part->rows);
}

static void depthwise_to_input(const Conv *c, const ConvPart *part) {
    depthwise_input_rows(c, part->images, part->row, part->rows);
}

static void depthwise_to_kernel(const Conv *c, int64_t part) {
    const ConvSlices cut = conv_slices(c);
    if (part % cut.blocks) return;
    int64_t slice = part / cut.blocks;
    depthwise_kernel_run(c, slice_rows(c, &cut, slice), slice_of(c, &cut, slice));
}

const ConvRoutines CONV_ROUTINES = {
    .pack_bytes = pack_bytes,
    .pack_parts = pack_parts,
    .pack = pack,
    .forward = forward,
    .to_input = to_input,
    .to_kernel = to_kernel,
    .depthwise = depthwise,
    .depthwise_to_input = depthwise_to_input,
    .depthwise_to_kernel = depthwise_to_kernel,
    .sum_slices = sum_slices,
};

#endif
