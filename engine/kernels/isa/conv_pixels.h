/* Convolution of x with packed weights into y of any strides: the forward pass and, on
 * the output's gradient with turned weights, the gradient with respect to the input.
 *
 * The rows of a tile are neighbours of one output row, of one output column, or the same
 * pixel of several images, so that the taps inside the image are the same for the whole
 * tile. Where a row of taps lies side by side in memory it is one run of multiply-adds. */
#ifndef CDL_KERNELS_ISA_CONV_PIXELS_H
#define CDL_KERNELS_ISA_CONV_PIXELS_H
#include "kernels/isa/conv_tile.h"

#define PIXEL_TILE(m, v)                                                                 \
    static void pixel_##m##_##v(const PixelTile *t) { pixel_body(m, v, t); }
#define PIXEL_NAME(m, v) [v - 1][m - 1] = pixel_##m##_##v,
typedef void PixelFunction(const PixelTile *tile);
SIZES(PIXEL_TILE)
static PixelFunction *const pixel_functions[TILE_VECTORS][TILE_ROWS] = {
    SIZES(PIXEL_NAME)};

/* A run of packed weights that stays in the second level cache beside the images, and
 * the images that pass over it before the next run is taken. */
enum { WEIGHT_BYTES = 768 << 10, IMAGE_BYTES = 1 << 20 };
/* Fewer pixels than these are no row or column of their own. */
enum { FEW_PIXELS = 5, FEW_IMAGES = 4 };

/* Up to so many products for a pixel are one run of multiply-adds. */
enum { FEW_PRODUCTS = 32 };

typedef struct Pixels {
    ConvAxis axis[CONV_AXES];
    int64_t depth, channels; /* summed in each tap; of y */
    const REAL *x;
    int64_t x_step[CONV_AXES], x_image;
    const REAL *weights, *bias;
    int64_t
        w_row; /* of weights that are not packed, from one channel to the next; else 0 */
    REAL *y;
    int64_t y_step[CONV_AXES], y_image;
    bool relu;
    bool one_row;                     /* parts are columns */
    int64_t few, place[FEW_PRODUCTS]; /* see PixelTile */
} Pixels;

/* What the rows of a tile follow. */
typedef enum Along { ALONG_ROWS = 1, ALONG_COLUMNS = 2, ALONG_IMAGES = 3 } Along;

/* One pixel of the output, the first of a segment. */
typedef struct Place {
    int64_t image, at[CONV_AXES];
} Place;

/* n times `unit` pixels, from the one on that t is at; unit is 1 or 3. first: weights of a
 * channel before the first tap, all: of all taps. */
static void tiles_run(const Pixels *p, PixelTile *t, int64_t n, int64_t unit,
                      Span channels, int64_t first, int64_t all) {
    const int64_t tallest = tile_rows[block_vectors(channels.end - channels.begin) - 1];
    const int64_t tiles = chunks(n * unit, tallest - tallest % unit);
    const int64_t each = n / tiles, taller = n - tiles * each;
    REAL *c = t->c;
    for (int64_t i = 0; i < tiles; i++) {
        const int64_t units = each + (i < taller), rows = units * unit;
        for (int64_t j = channels.begin; j < channels.end;) {
            int vectors = block_vectors(channels.end - j);
            t->b_row = p->w_row ? p->w_row : vectors * VW;
            t->b = p->weights + (p->w_row ? j : all * j) + first * t->b_row;
            t->c = c + j;
            t->bias = p->bias ? p->bias + j : NULL;
            t->last = block_last(channels.end - j, vectors);
            pixel_functions[vectors - 1][rows - 1](t);
            j += vectors * VW;
        }
        t->a += units * (unit == 3 ? t->a_three : t->a_row);
        c += rows * t->c_row;
    }
}

/* n pixels from a place on, with the same taps; and as many in each of the `times` rows
 * that begin there, which have the same taps, too. */
static void segment(const Pixels *p, Place place, Along along, int64_t n, int64_t times,
                    Span channels) {
    Span taps[CONV_AXES];
    PixelTile t = {.depth = p->depth, .relu = p->relu};
    const REAL *x = p->x + place.image * p->x_image;
    REAL *y = p->y + place.image * p->y_image;
    int64_t first = 0, all = p->depth;
    for (int k = CONV_AXES - 1; k >= 0; k--) {
        const ConvAxis *a = &p->axis[k];
        taps[k] = axis_taps(a, place.at[k]);
        int64_t start = place.at[k] * a->stride - a->before + taps[k].begin * a->dilation;
        t.taps[k] = taps[k].end - taps[k].begin;
        t.a_tap[k] = a->dilation * p->x_step[k];
        t.b_tap[k] = all;
        first += taps[k].begin * all;
        all *= a->kernel;
        if (t.taps[k] > 0) x += start * p->x_step[k];
        y += place.at[k] * p->y_step[k];
    }
    if (p->few && first == 0 && t.taps[0] * t.taps[1] * t.taps[2] * p->depth == p->few) {
        t.few = p->few;
        t.place = p->place;
    }
    if (t.a_tap[2] == p->depth) {
        t.depth *= t.taps[2];
        t.taps[2] = 1;
    }
    t.a_row =
        along == ALONG_IMAGES ? p->x_image : p->axis[along].stride * p->x_step[along];
    t.c_row = along == ALONG_IMAGES ? p->y_image : p->y_step[along];
    t.a_three = 3 * t.a_row;
    t.a = x;
    t.c = y;
    const int64_t a_next = p->axis[1].stride * p->x_step[1];
    if (n == 3 && times > 1 && p->y_step[1] == 3 * t.c_row) {
        /* Rows of three pixels follow each other in y: they share tiles. */
        t.a_three = a_next;
        tiles_run(p, &t, times, 3, channels, first, all);
        return;
    }
    for (int64_t i = 0; i < times; i++) {
        t.a = x + i * a_next;
        t.c = y + i * p->y_step[1];
        tiles_run(p, &t, n, 1, channels, first, all);
    }
}

/* The part of a span that lies in another. */
static Span span_meet(Span a, Span b) {
    a.begin = least(most(a.begin, b.begin), b.end);
    a.end = most(a.begin, least(a.end, b.end));
    return a;
}

/* Some images, one plane, some rows and columns of them. */
static void block(const Pixels *p, Span images, int64_t plane, Span rows, Span columns,
                  Span channels) {
    Span inner = span_meet(axis_inner(&p->axis[2]), columns);
    const Span whole = span_meet(axis_inner(&p->axis[1]), rows);
    Span tall = whole;
    if (inner.end - inner.begin < FEW_PIXELS && images.end - images.begin >= FEW_IMAGES) {
        inner = (Span){columns.end, columns.end};
        tall = (Span){rows.end, rows.end};
    }
    if (tall.end - tall.begin < FEW_PIXELS &&
        tall.end - tall.begin <= images.end - images.begin)
        tall = (Span){rows.end, rows.end};
    for (int64_t n = images.begin; n < images.end; n++) {
        for (int64_t r = rows.begin; inner.end > inner.begin && r < rows.end;) {
            int64_t times = r == whole.begin ? most(1, whole.end - r) : 1;
            segment(p, (Place){n, {plane, r, inner.begin}}, ALONG_COLUMNS,
                    inner.end - inner.begin, times, channels);
            r += times;
        }
        if (tall.end > tall.begin)
            for (int64_t q = columns.begin; q < columns.end; q++) {
                if (q == inner.begin) q = inner.end;
                if (q >= columns.end) break;
                segment(p, (Place){n, {plane, tall.begin, q}}, ALONG_ROWS,
                        tall.end - tall.begin, 1, channels);
            }
    }
    for (int64_t r = rows.begin; r < rows.end; r++) {
        if (r == tall.begin) r = tall.end;
        if (r >= rows.end) break;
        for (int64_t q = columns.begin; q < columns.end; q++) {
            if (q == inner.begin) q = inner.end;
            if (q >= columns.end) break;
            segment(p, (Place){images.begin, {plane, r, q}}, ALONG_IMAGES,
                    images.end - images.begin, 1, channels);
        }
    }
}

/* The channels, from the first of some, whose weights stay in the cache together. */
static Span channel_run(const Pixels *p, Span channels) {
    int64_t taps = p->axis[0].kernel * p->axis[1].kernel * p->axis[2].kernel;
    int64_t bytes = most(1, taps * p->depth * PANEL * (int64_t)sizeof(REAL));
    int64_t run = PANEL * most(1, WEIGHT_BYTES / bytes);
    bool end = channels.end - channels.begin <= run + VW;
    return (Span){channels.begin, end ? channels.end : channels.begin + run};
}

/* Lists the products of a pixel whose window is inside x, when they are few. */
static void list_few(Pixels *p) {
    const ConvAxis *a = p->axis;
    int64_t n = 0, all = a[0].kernel * a[1].kernel * a[2].kernel * p->depth;
    if (all > FEW_PRODUCTS) return;
    for (int64_t i = 0; i < a[0].kernel; i++)
        for (int64_t j = 0; j < a[1].kernel; j++)
            for (int64_t k = 0; k < a[2].kernel; k++)
                for (int64_t c = 0; c < p->depth; c++)
                    p->place[n++] = i * a[0].dilation * p->x_step[0] +
                                    j * a[1].dilation * p->x_step[1] +
                                    k * a[2].dilation * p->x_step[2] + c;
    p->few = n;
}

/* All planes of a part. */
static void pixels_run(const Pixels *p, const ConvPart *part) {
    const ConvAxis *a = p->axis;
    int64_t bytes = a[0].in * a[1].in * a[2].in * p->depth +
                    a[0].out * a[1].out * a[2].out * p->channels;
    int64_t group = most(1, IMAGE_BYTES / most(1, bytes * (int64_t)sizeof(REAL)));
    Span rows = {0, a[1].out}, columns = {0, a[2].out};
    Span *cut = p->one_row ? &columns : &rows;
    *cut = (Span){cut->end * part->row / part->rows,
                  cut->end * (part->row + 1) / part->rows};
    if (rows.begin == rows.end || columns.begin == columns.end) return;
    for (int64_t n = part->images.begin; n < part->images.end; n += group) {
        Span some = {n, least(n + group, part->images.end)};
        for (Span left = part->channels; left.begin < left.end;) {
            Span channels = channel_run(p, left);
            for (int64_t plane = 0; plane < a[0].out; plane++)
                block(p, some, plane, rows, columns, channels);
            left.begin = channels.end;
        }
    }
}

#endif
