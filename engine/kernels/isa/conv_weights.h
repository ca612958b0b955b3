/* The gradient of a convolution with respect to its kernel:
 *
 *     w[tap][i][o] = sum over images and pixels of x[pixel at tap][i] y[pixel][o]
 *
 * A tile is some input channels of one tap times some vectors of output channels. It runs
 * over the pixels of a chunk that fits in the cache; then the next tile does. With few
 * input channels all taps of a row, which lie side by side in memory, count as channels;
 * pixels near the border, where only some of those taps exist, are then summed column by
 * column. */
#ifndef CDL_KERNELS_ISA_CONV_WEIGHTS_H
#define CDL_KERNELS_ISA_CONV_WEIGHTS_H
#include <string.h>
#include "kernels/isa/conv_tile.h"

#define KERNEL_TILE(m, v)                                                                \
    static void kernel_##m##_##v(const KernelTile *t) { kernel_body(m, v, t); }
#define KERNEL_NAME(m, v) [v - 1][m - 1] = kernel_##m##_##v,
typedef void KernelFunction(const KernelTile *tile);
SIZES(KERNEL_TILE)
static KernelFunction *const kernel_functions[TILE_VECTORS][TILE_ROWS] = {
    SIZES(KERNEL_NAME)};

/* Bytes of x and y of a chunk; input channels below which a row of taps is one. */
enum { CHUNK_BYTES = 256 << 10, FEW_CHANNELS = 16 };

typedef struct Weights {
    const Conv *conv;
    int64_t in, out;           /* channels of a group */
    bool window;               /* a row of taps counts as channels */
    int64_t channels, columns; /* channels of a tap, taps in a row, in these terms */
    int64_t tiles, units;
    int64_t x_step[CONV_AXES], x_image, y_step[CONV_AXES], y_image;
    REAL *w;
} Weights;

typedef struct Chunk {
    Span images, rows;
    int64_t plane;
} Chunk;

static void set_steps(const ConvAxis axis[], bool of_x, int64_t channels, int64_t step[],
                      int64_t *image) {
    for (int k = CONV_AXES - 1; k >= 0; k--) {
        step[k] = channels;
        channels *= of_x ? axis[k].in : axis[k].out;
    }
    *image = channels;
}

static Weights weights_of(const Conv *c, REAL *w) {
    Weights s = {.conv = c, .in = c->in / c->groups, .out = c->out / c->groups, .w = w};
    const ConvAxis *a = c->axis;
    s.window =
        c->groups == 1 && a[2].dilation == 1 && a[2].kernel > 1 && s.in < FEW_CHANNELS;
    s.channels = s.window ? s.in * a[2].kernel : s.in;
    s.columns = s.window ? 1 : a[2].kernel;
    s.tiles = chunks(s.channels, tile_rows[block_vectors(s.out) - 1]);
    s.units = c->groups * a[0].kernel * a[1].kernel * s.columns * s.tiles;
    set_steps(a, true, c->in, s.x_step, &s.x_image);
    set_steps(a, false, c->out, s.y_step, &s.y_image);
    return s;
}

/* One of the sums that tiles are cut into: a group, a tap and some of its channels. */
typedef struct Unit {
    int64_t group, tap[CONV_AXES];
    Span channels;
    REAL *w; /* of the tap and group, at channel 0 */
} Unit;

static Unit unit_of(const Weights *s, int64_t number) {
    const ConvAxis *a = s->conv->axis;
    int64_t tile = number % s->tiles, tap = number / s->tiles;
    Unit u = {
        .channels = {s->channels * tile / s->tiles, s->channels * (tile + 1) / s->tiles}};
    u.tap[2] = tap % s->columns;
    tap /= s->columns;
    u.tap[1] = tap % a[1].kernel;
    tap /= a[1].kernel;
    u.tap[0] = tap % a[0].kernel;
    u.group = tap / a[0].kernel;
    int64_t row = (u.tap[0] * a[1].kernel + u.tap[1]) * s->columns + u.tap[2];
    u.w = s->w + row * s->channels * s->conv->out + u.group * s->out;
    return u;
}

/* Adds the pixels [columns) of some rows to some channels of a unit. */
static void add_pixels(const Weights *s, const Unit *u, const Chunk *chunk, Span rows,
                       Span columns, Span channels) {
    const Conv *c = s->conv;
    const ConvAxis *a = c->axis;
    if (columns.begin >= columns.end || channels.begin >= channels.end) return;
    const int64_t at[CONV_AXES] = {chunk->plane, rows.begin, columns.begin};
    const REAL *x = (const REAL *)c->x + chunk->images.begin * s->x_image +
                    u->group * s->in + channels.begin;
    const REAL *y =
        (const REAL *)c->y + chunk->images.begin * s->y_image + u->group * s->out;
    for (int k = 0; k < CONV_AXES; k++) {
        x += (at[k] * a[k].stride - a[k].before + u->tap[k] * a[k].dilation) *
             s->x_step[k];
        y += at[k] * s->y_step[k];
    }
    KernelTile t = {.x = x,
                    .images = chunk->images.end - chunk->images.begin,
                    .rows = rows.end - rows.begin,
                    .pixels = columns.end - columns.begin,
                    .x_image = s->x_image,
                    .x_row = a[1].stride * s->x_step[1],
                    .x_pixel = a[2].stride * s->x_step[2],
                    .y_image = s->y_image,
                    .y_row = s->y_step[1],
                    .y_pixel = s->y_step[2],
                    .w_row = c->out};
    for (int64_t j = 0; j < s->out;) {
        int vectors = block_vectors(s->out - j);
        t.y = y + j;
        t.w = u->w + channels.begin * c->out + j;
        t.last = block_last(s->out - j, vectors);
        kernel_functions[vectors - 1][channels.end - channels.begin - 1](&t);
        j += vectors * VW;
    }
}

static void add_unit(const Weights *s, const Unit *u, const Chunk *chunk) {
    const ConvAxis *a = s->conv->axis;
    Span planes = axis_outputs(&a[0], u->tap[0]), rows = axis_outputs(&a[1], u->tap[1]);
    if (chunk->plane < planes.begin || chunk->plane >= planes.end) return;
    rows.begin = most(rows.begin, chunk->rows.begin);
    rows.end = least(rows.end, chunk->rows.end);
    if (rows.begin >= rows.end) return;
    if (!s->window) {
        add_pixels(s, u, chunk, rows, axis_outputs(&a[2], u->tap[2]), u->channels);
        return;
    }
    Span inner = axis_inner(&a[2]);
    add_pixels(s, u, chunk, rows, inner, u->channels);
    for (int64_t q = 0; q < a[2].out; q++) {
        if (q == inner.begin) q = inner.end;
        if (q >= a[2].out) break;
        Span taps = axis_taps(&a[2], q);
        Span some = {most(u->channels.begin, taps.begin * s->in),
                     least(u->channels.end, taps.end * s->in)};
        add_pixels(s, u, chunk, rows, (Span){q, q + 1}, some);
    }
}

/* Adds some rows of some images, chunk by chunk. */
static void add_rows(const Weights *s, Span images, Span rows, Span units) {
    const ConvAxis *a = s->conv->axis;
    int64_t row = (a[1].stride * s->x_step[1] + s->y_step[1]) * (int64_t)sizeof(REAL);
    int64_t height = most(1, CHUNK_BYTES / most(1, row));
    int64_t group = most(1, height / (rows.end - rows.begin));
    for (int64_t n = images.begin; n < images.end; n += group) {
        Chunk chunk = {.images = {n, least(n + group, images.end)}};
        for (chunk.plane = 0; chunk.plane < a[0].out; chunk.plane++) {
            for (int64_t r = rows.begin; r < rows.end; r += height) {
                chunk.rows = (Span){r, least(r + height, rows.end)};
                for (int64_t i = units.begin; i < units.end; i++) {
                    Unit u = unit_of(s, i);
                    add_unit(s, &u, &chunk);
                }
            }
        }
    }
}

/* The sums of some units over a slice: rows of the images, numbered through. */
static void weights_run(const Weights *s, Span slice, Span units) {
    const int64_t height = s->conv->axis[1].out;
    for (int64_t i = units.begin; i < units.end; i++) {
        Unit u = unit_of(s, i);
        for (int64_t m = u.channels.begin; m < u.channels.end; m++)
            memset(u.w + m * s->conv->out, 0, (size_t)s->out * sizeof(REAL));
    }
    for (int64_t at = slice.begin; at < slice.end;) {
        int64_t n = at / height, r = at % height, left = slice.end - at;
        Span images = {n, n + 1}, rows = {r, least(height, r + left)};
        if (rows.begin == 0 && rows.end == height) images.end = n + left / height;
        add_rows(s, images, rows, units);
        at += (rows.end - rows.begin) * (images.end - images.begin);
    }
}

#endif
