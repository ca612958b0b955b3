/* Depthwise convolutions: each channel has a kernel of its own. Vectors lie over channels;
 * a few neighbouring pixels share the weights of a tap. */
#ifndef CDL_KERNELS_ISA_CONV_DEPTHWISE_H
#define CDL_KERNELS_ISA_CONV_DEPTHWISE_H
#include "kernels/isa/conv_tile.h"

/* Pixels that share weights: as many chains of additions as keep both units busy. */
enum { TOGETHER = 8 };

/* P pixels of one output row, `lanes` channels from the pointers on. x is at tap
 * (taps[0].begin, taps[1].begin, taps[2].begin) of the first pixel. */
typedef struct DepthTile {
    const REAL *x, *w;
    int64_t taps[CONV_AXES], x_tap[CONV_AXES], w_tap[CONV_AXES];
    int64_t x_pixel;
    REAL *y;
    int64_t y_pixel;
    const REAL *bias;
    bool relu;
} DepthTile;

INLINE void depth_body(const int P, const DepthTile *t, int64_t at, int lanes) {
    Vec sum[TOGETHER];
    const bool part = lanes < VW;
    UNROLL for (int p = 0; p < P; p++) sum[p] = (Vec){0};
    for (int64_t i = 0; i < t->taps[0]; i++) {
        for (int64_t j = 0; j < t->taps[1]; j++) {
            const REAL *x = t->x + at + i * t->x_tap[0] + j * t->x_tap[1];
            const REAL *w = t->w + at + i * t->w_tap[0] + j * t->w_tap[1];
            for (int64_t k = 0; k < t->taps[2]; k++) {
                Vec right = tile_edge_load(w, part, lanes);
                UNROLL for (int p = 0; p < P; p++) sum[p] = vec_fma(
                    tile_edge_load(x + p * t->x_pixel, part, lanes), right, sum[p]);
                x += t->x_tap[2];
                w += t->w_tap[2];
            }
        }
    }
    Vec bias = {0};
    if (t->bias) bias = tile_edge_load(t->bias + at, part, lanes);
    UNROLL for (int p = 0; p < P; p++) {
        if (t->bias) sum[p] += bias;
        if (t->relu) sum[p] = vec_relu(sum[p]);
        if (part)
            vec_store_part(t->y + at + p * t->y_pixel, sum[p], lanes);
        else
            vec_store(t->y + at + p * t->y_pixel, sum[p]);
    }
}

static void depth_pixels(const DepthTile *t, int64_t pixels, int64_t channels) {
    for (int64_t at = 0; at < channels; at += VW) {
        int lanes = (int)least(VW, channels - at);
        if (pixels == TOGETHER)
            depth_body(TOGETHER, t, at, lanes);
        else if (pixels == TOGETHER / 2)
            depth_body(TOGETHER / 2, t, at, lanes);
        else
            depth_body(1, t, at, lanes);
    }
}

/* The taps of an output pixel, and x and w at the first of them. Turned: the kernel's
 * elements count from its end. */
static DepthTile depth_tile(const Conv *c, bool turned, int64_t image,
                            const int64_t at[CONV_AXES]) {
    DepthTile t = {.x = c->x, .w = c->w, .y = c->y, .bias = c->bias, .relu = c->relu};
    int64_t x_step = c->in, y_step = c->in, w_step = c->in;
    for (int k = CONV_AXES - 1; k >= 0; k--) {
        const ConvAxis *a = &c->axis[k];
        Span taps = axis_taps(a, at[k]);
        int64_t start = at[k] * a->stride - a->before + taps.begin * a->dilation;
        t.taps[k] = taps.end - taps.begin;
        t.x_tap[k] = a->dilation * x_step;
        t.w_tap[k] = turned ? -w_step : w_step;
        if (t.taps[k] > 0) t.x += start * x_step;
        t.w += (turned ? a->kernel - 1 - taps.begin : taps.begin) * w_step;
        t.y += at[k] * y_step;
        x_step *= a->in;
        y_step *= a->out;
        w_step *= a->kernel;
    }
    t.x += image * x_step;
    t.y += image * y_step;
    t.x_pixel = c->axis[2].stride * c->in;
    t.y_pixel = c->in;
    return t;
}

static void depthwise_rows(const Conv *c, bool turned, Span images, int64_t part,
                           int64_t parts) {
    const ConvAxis *a = c->axis;
    Span inner = axis_inner(&a[2]);
    Span rows = {a[1].out * part / parts, a[1].out * (part + 1) / parts};
    Span columns = {0, a[2].out};
    if (conv_one_row(c)) {
        rows = (Span){0, 1};
        columns = (Span){a[2].out * part / parts, a[2].out * (part + 1) / parts};
    }
    inner.end = least(inner.end, columns.end);
    int64_t at[CONV_AXES];
    for (int64_t n = images.begin; n < images.end; n++)
        for (at[0] = 0; at[0] < a[0].out; at[0]++)
            for (at[1] = rows.begin; at[1] < rows.end; at[1]++)
                for (at[2] = columns.begin; at[2] < columns.end;) {
                    int64_t left = at[2] < inner.begin ? 0 : inner.end - at[2];
                    int64_t pixels = left >= TOGETHER       ? TOGETHER
                                     : left >= TOGETHER / 2 ? TOGETHER / 2
                                                            : 1;
                    DepthTile t = depth_tile(c, turned, n, at);
                    depth_pixels(&t, pixels, c->in);
                    at[2] += pixels;
                }
}

/* ---- the input's gradient ----
 *
 * Without strides it is a convolution of y with the turned kernel. With strides each pixel
 * of the input collects from the outputs that saw it. */

static bool without_strides(const Conv *c) {
    for (int k = 0; k < CONV_AXES; k++)
        if (c->axis[k].stride > 1) return false;
    return true;
}

static Conv turned_of(const Conv *c) {
    Conv turned = *c;
    turned.x = c->y;
    turned.y = c->x;
    for (int k = 0; k < CONV_AXES; k++) {
        const ConvAxis *a = &c->axis[k];
        turned.axis[k].in = a->out;
        turned.axis[k].out = a->in;
        turned.axis[k].before = (a->kernel - 1) * a->dilation - a->before;
    }
    return turned;
}

/* Output of tap k that reads input i, or -1. */
static int64_t seen_by(const ConvAxis *a, int64_t i, int64_t k) {
    int64_t o = i + a->before - k * a->dilation;
    return o < 0 || o % a->stride || o / a->stride >= a->out ? -1 : o / a->stride;
}

static void depth_add(REAL *restrict sum, const REAL *restrict y, const REAL *restrict w,
                      int64_t channels) {
    for (int64_t i = 0; i < channels; i += VW) {
        int lanes = (int)least(VW, channels - i);
        bool part = lanes < VW;
        Vec s = vec_fma(tile_edge_load(y + i, part, lanes),
                        tile_edge_load(w + i, part, lanes),
                        tile_edge_load(sum + i, part, lanes));
        if (part)
            vec_store_part(sum + i, s, lanes);
        else
            vec_store(sum + i, s);
    }
}

static void depthwise_input_pixel(const Conv *c, int64_t image, int64_t plane,
                                  int64_t row, int64_t column) {
    const ConvAxis *a = c->axis;
    const int64_t channels = c->in;
    REAL *x = (REAL *)c->x +
              (((image * a[0].in + plane) * a[1].in + row) * a[2].in + column) * channels;
    for (int64_t i = 0; i < channels; i++) x[i] = 0;
    for (int64_t d = 0; d < a[0].kernel; d++) {
        int64_t at0 = seen_by(&a[0], plane, d);
        for (int64_t h = 0; at0 >= 0 && h < a[1].kernel; h++) {
            int64_t at1 = seen_by(&a[1], row, h);
            for (int64_t k = 0; at1 >= 0 && k < a[2].kernel; k++) {
                int64_t at2 = seen_by(&a[2], column, k);
                if (at2 < 0) continue;
                int64_t from = ((image * a[0].out + at0) * a[1].out + at1) * a[2].out;
                int64_t tap = (d * a[1].kernel + h) * a[2].kernel + k;
                depth_add(x, (const REAL *)c->y + (from + at2) * channels,
                          (const REAL *)c->w + tap * channels, channels);
            }
        }
    }
}

static void depthwise_input_rows(const Conv *c, Span images, int64_t part,
                                 int64_t parts) {
    if (without_strides(c)) {
        Conv turned = turned_of(c);
        depthwise_rows(&turned, true, images, part, parts);
        return;
    }
    const ConvAxis *a = c->axis;
    Span rows = {a[1].in * part / parts, a[1].in * (part + 1) / parts};
    for (int64_t n = images.begin; n < images.end; n++)
        for (int64_t plane = 0; plane < a[0].in; plane++)
            for (int64_t row = rows.begin; row < rows.end; row++)
                for (int64_t column = 0; column < a[2].in; column++)
                    depthwise_input_pixel(c, n, plane, row, column);
}

/* ---- the kernel's gradient ---- */

/* One row of pixels of one tap, into sums in registers. */
static void depth_kernel_row(const REAL *x, int64_t x_pixel, const REAL *y,
                             int64_t pixels, REAL *w, int64_t channels) {
    for (int64_t i = 0; i < channels; i += VW) {
        int lanes = (int)least(VW, channels - i);
        bool part = lanes < VW;
        Vec sum = tile_edge_load(w + i, part, lanes);
        for (int64_t p = 0; p < pixels; p++)
            sum = vec_fma(tile_edge_load(x + p * x_pixel + i, part, lanes),
                          tile_edge_load(y + p * channels + i, part, lanes), sum);
        if (part)
            vec_store_part(w + i, sum, lanes);
        else
            vec_store(w + i, sum);
    }
}

/* Adds one row of y to the kernels' sums. */
static void depth_kernel_add(const Conv *c, int64_t image, int64_t plane, int64_t row,
                             REAL *w) {
    const ConvAxis *a = c->axis;
    const int64_t channels = c->in;
    const int64_t at_y = ((image * a[0].out + plane) * a[1].out + row) * a[2].out;
    Span planes = axis_taps(&a[0], plane), rows = axis_taps(&a[1], row);
    for (int64_t d = planes.begin; d < planes.end; d++) {
        int64_t in0 = plane * a[0].stride - a[0].before + d * a[0].dilation;
        for (int64_t h = rows.begin; h < rows.end; h++) {
            int64_t in1 = row * a[1].stride - a[1].before + h * a[1].dilation;
            int64_t at_x = ((image * a[0].in + in0) * a[1].in + in1) * a[2].in;
            for (int64_t k = 0; k < a[2].kernel; k++) {
                Span columns = axis_outputs(&a[2], k);
                if (columns.begin == columns.end) continue;
                int64_t in2 =
                    columns.begin * a[2].stride - a[2].before + k * a[2].dilation;
                int64_t tap = (d * a[1].kernel + h) * a[2].kernel + k;
                depth_kernel_row(
                    (const REAL *)c->x + (at_x + in2) * channels, a[2].stride * channels,
                    (const REAL *)c->y + (at_y + columns.begin) * channels,
                    columns.end - columns.begin, w + tap * channels, channels);
            }
        }
    }
}

static void depthwise_kernel_run(const Conv *c, Span slice, REAL *w) {
    const int64_t height = c->axis[1].out;
    for (int64_t i = 0; i < conv_kernel_size(c); i++) w[i] = 0;
    for (int64_t at = slice.begin; at < slice.end; at++)
        for (int64_t plane = 0; plane < c->axis[0].out; plane++)
            depth_kernel_add(c, at / height, plane, at % height, w);
}

#endif
