/* The loops of pooling for one REAL. A vector of channels keeps its best, or its sum, in
 * registers over the places of a window. Included once for each REAL, which names
 * POOL_ROUTINES. */
#ifndef CDL_KERNELS_ISA_POOL_ROUTINES_H
#define CDL_KERNELS_ISA_POOL_ROUTINES_H
#include <stdbool.h>
#include "kernels/isa/gemm_vector.h"
#include "kernels/isa/pool.h"

/* The window of an output: places of the input, in elements of one image. It moves from
 * output to output, and computes anew along an axis only what has changed. */
typedef struct Window {
    int64_t n[CONV_AXES], step[CONV_AXES]; /* places, elements from one to the next */
    int64_t first, count;
    int64_t row, column, row_first; /* of the output; where the row's windows begin */
    Span inner;                     /* columns whose windows are all inside the image */
} Window;

/* Places along one axis for output o; the first of them. */
static int64_t window_axis(const Pool *p, Window *w, int k, int64_t o) {
    const ConvAxis *a = &p->axis[k];
    int64_t start = o * a->stride - a->before, begin = most(start, 0);
    w->n[k] = least(start + a->kernel, a->in) - begin;
    return begin * w->step[k];
}

static void window_row(const Pool *p, Window *w) {
    w->row_first = window_axis(p, w, 0, w->row / p->axis[1].out) +
                   window_axis(p, w, 1, w->row % p->axis[1].out);
}

static void window_column(const Pool *p, Window *w) {
    w->first = w->row_first + window_axis(p, w, 2, w->column);
    w->count = w->n[0] * w->n[1] * w->n[2];
}

static Window window_at(const Pool *p, int64_t at) {
    Window w = {.row = at / p->axis[2].out,
                .column = at % p->axis[2].out,
                .inner = axis_inner(&p->axis[2])};
    int64_t step = p->pixel;
    for (int k = CONV_AXES - 1; k >= 0; k--) {
        w.step[k] = step;
        step *= p->axis[k].in;
    }
    window_row(p, &w);
    window_column(p, &w);
    return w;
}

/* How many windows follow each other in this row with the same places inside the image,
 * this one counted, of at most so many. */
static int64_t window_run(const Window *w, int64_t most_wanted) {
    bool inside = w->column >= w->inner.begin && w->column < w->inner.end;
    return inside ? least(most_wanted, w->inner.end - w->column) : 1;
}

static void window_skip(const Pool *p, Window *w, int64_t windows) {
    w->column += windows;
    if (w->column == p->axis[2].out) {
        w->column = 0;
        w->row++;
        window_row(p, w);
    }
    window_column(p, w);
}

INLINE void window_next(const Pool *p, Window *w) {
    if (w->column + 1 < w->inner.end && w->column >= w->inner.begin) {
        w->column++;
        w->first += p->axis[2].stride * w->step[2];
    } else {
        window_skip(p, w, 1);
    }
}

/* For each place of a window, in order; from: its first element. */
#define EACH_PLACE(w, from)                                                              \
    for (int64_t i0 = 0; i0 < (w).n[0]; i0++)                                            \
        for (int64_t i1 = 0; i1 < (w).n[1]; i1++)                                        \
            for (int64_t i2 = 0, from = (w).first + i0 * (w).step[0] + i1 * (w).step[1]; \
                 i2 < (w).n[2]; i2++, from += (w).step[2])

/* a where the mask is set, else b. */
INLINE Vec choose(VecInt mask, Vec a, Vec b) {
    return (Vec)((mask & (VecInt)a) | (~mask & (VecInt)b));
}

/* x > best, or nan where best is none. */
INLINE VecInt beats(Vec x, Vec best) {
    return ~(VecInt)(x <= best) & (VecInt)(best == best);
}

/* The largest of a window with a nan in it. */
static __attribute__((noinline)) Vec maximum_of_nan(const REAL *x, const Window w,
                                                    int lanes) {
    Vec best = lanes_load(x + w.first, lanes);
    EACH_PLACE(w, from) {
        Vec value = lanes_load(x + from, lanes);
        best = choose(beats(value, best), value, best);
    }
    return best;
}

/* The largest of a window. Their sum is nan where one of them is (and where infinities of
 * both signs are, which are then only slower). */
INLINE Vec maximum(const REAL *x, const Window w, int lanes) {
    Vec best = lanes_load(x + w.first, lanes), sum = {0};
    EACH_PLACE(w, from) {
        Vec value = lanes_load(x + from, lanes);
        best = vec_max(value, best);
        sum += value;
    }
    return vec_has_nan(sum) ? maximum_of_nan(x, w, lanes) : best;
}

/* The first maximum, and the number of its place. */
INLINE VecInt maximum_place(const REAL *x, const Window *w, int lanes, Vec *maximum) {
    Vec best = lanes_load(x + w->first, lanes);
    VecInt place = {0}, number = {0};
    EACH_PLACE(*w, from) {
        Vec value = lanes_load(x + from, lanes);
        VecInt more = beats(value, best);
        best = choose(more, value, best);
        place = (more & number) | (~more & place);
        number += 1;
    }
    *maximum = best;
    return place;
}

/* d, or with `positive` only where the maximum is above 0. */
INLINE Vec admitted(Vec d, Vec maximum, bool positive) {
    return positive ? (Vec)((VecInt)d & (VecInt)(maximum > (Vec){0})) : d;
}

/* The statements for each vector of channels, c the first of them: whole vectors, whose
 * number of lanes is a constant, and what is left. */
#define EACH_VECTOR_OF(channels, ...)                                                    \
    {                                                                                    \
        int64_t c = 0;                                                                   \
        for (const int lanes = VW; c + VW <= (channels); c += VW) __VA_ARGS__            \
        const int lanes = (int)((channels)-c);                                           \
        if (lanes) __VA_ARGS__                                                           \
    }

/* The commonest window is two by two and inside the image; its loops have constant
 * bounds. */
INLINE bool is_square(const Window *w) {
    return w->n[0] == 1 && w->n[1] == 2 && w->n[2] == 2;
}
#define SQUARED(w)                                                                       \
    (Window) { .n = {1, 2, 2}, .step = {0, (w).step[1], (w).step[2]}, .first = (w).first }

INLINE void max_window(const Window w, int64_t channels, const REAL *x, REAL *y){
    EACH_VECTOR_OF(channels, { lanes_store(y + c, maximum(x + c, w, lanes), lanes); })}

INLINE void pick_window(const Window w, const Pool *p, const REAL *x, const REAL *g,
                        REAL *y) {
    EACH_VECTOR_OF(p->channels, {
        Vec largest, picked = {0};
        VecInt place = maximum_place(x + c, &w, lanes, &largest), number = {0};
        EACH_PLACE(w, from) {
            Vec value = lanes_load(g + c + from, lanes);
            picked = choose((VecInt)(place == number), value, picked);
            number += 1;
        }
        lanes_store(y + c, admitted(picked, largest, p->positive), lanes);
    })
}

/* n windows of two by two, the first given, that follow each other in a row. */
static __attribute__((noinline)) void max_squares(const Pool *p, const Window *first,
                                                  int64_t n, const REAL *x, REAL *y) {
    const Window w = SQUARED(*first);
    const int64_t move = p->axis[2].stride * first->step[2];
    const int64_t channels = p->channels, pixel = p->pixel;
    for (int64_t i = 0; i < n; i++, x += move, y += pixel) max_window(w, channels, x, y);
}

static void max_windows(const Pool *p, const void *x_data, const void *g_data,
                        void *y_data, Span outputs) {
    const REAL *x = x_data, *g = g_data;
    Window w = window_at(p, outputs.begin);
    for (int64_t at = outputs.begin, n = 1; at < outputs.end; at += n) {
        REAL *y = (REAL *)y_data + at * p->pixel;
        n = g == x && is_square(&w) ? window_run(&w, outputs.end - at) : 1;
        if (g != x)
            pick_window(w, p, x, g, y);
        else if (is_square(&w))
            max_squares(p, &w, n, x, y);
        else
            max_window(w, p->channels, x, y);
        window_skip(p, &w, n);
    }
}

static bool overlap(const Pool *p) {
    bool any = false;
    for (int k = 0; k < CONV_AXES; k++) any |= p->axis[k].stride < p->axis[k].kernel;
    return any;
}

/* adds: dx holds what other windows gave. Else it is zeros and need not be read. */
INLINE void max_window_back(const Window w, const Pool *p, const REAL *x, const REAL *dy,
                            REAL *dx, bool adds) {
    EACH_VECTOR_OF(p->channels, {
        Vec largest, d = lanes_load(dy + c, lanes);
        VecInt place = maximum_place(x + c, &w, lanes, &largest), number = {0};
        d = admitted(d, largest, p->positive);
        EACH_PLACE(w, from) {
            Vec mine = (Vec)((VecInt)(place == number) & (VecInt)d);
            if (adds) mine += lanes_load(dx + c + from, lanes);
            lanes_store(dx + c + from, mine, lanes);
            number += 1;
        }
    })
}

/* As max_squares, where no other windows give to the same places. */
static __attribute__((noinline)) void max_squares_back(const Pool *p, const Window *first,
                                                       int64_t n, const REAL *x,
                                                       const REAL *dy, REAL *dx) {
    const Window w = SQUARED(*first);
    const int64_t move = p->axis[2].stride * first->step[2], pixel = p->pixel;
    for (int64_t i = 0; i < n; i++, x += move, dx += move, dy += pixel)
        max_window_back(w, p, x, dy, dx, false);
}

static void max_windows_back(const Pool *p, const void *x_data, const void *dy_data,
                             void *dx_data, Span outputs) {
    const REAL *x = x_data;
    REAL *dx = dx_data;
    const bool adds = overlap(p);
    Window w = window_at(p, outputs.begin);
    for (int64_t at = outputs.begin, n = 1; at < outputs.end; at += n) {
        const REAL *dy = (const REAL *)dy_data + at * p->pixel;
        const bool squares = !adds && is_square(&w);
        n = squares ? window_run(&w, outputs.end - at) : 1;
        if (squares)
            max_squares_back(p, &w, n, x, dy, dx);
        else
            max_window_back(w, p, x, dy, dx, adds);
        window_skip(p, &w, n);
    }
}

static void mean_windows(const Pool *p, const void *x_data, void *y_data, Span outputs) {
    const REAL *x = x_data;
    Window w = window_at(p, outputs.begin);
    for (int64_t at = outputs.begin; at < outputs.end; at++, window_next(p, &w)) {
        REAL *y = (REAL *)y_data + at * p->pixel;
        EACH_VECTOR_OF(p->channels, {
            Vec sum = {0};
            EACH_PLACE(w, from) sum += lanes_load(x + c + from, lanes);
            lanes_store(y + c, sum / vec_set((REAL)w.count), lanes);
        })
    }
}

static void mean_windows_back(const Pool *p, const void *dy_data, void *dx_data,
                              Span outputs) {
    REAL *dx = dx_data;
    Window w = window_at(p, outputs.begin);
    for (int64_t at = outputs.begin; at < outputs.end; at++, window_next(p, &w)) {
        const REAL *dy = (const REAL *)dy_data + at * p->pixel;
        EACH_VECTOR_OF(p->channels, {
            Vec share = lanes_load(dy + c, lanes) / vec_set((REAL)w.count);
            EACH_PLACE(w, from) {
                Vec sum = lanes_load(dx + c + from, lanes) + share;
                lanes_store(dx + c + from, sum, lanes);
            }
        })
    }
}

const PoolRoutines POOL_ROUTINES = {.max = max_windows,
                                    .max_back = max_windows_back,
                                    .mean = mean_windows,
                                    .mean_back = mean_windows_back};

#endif
