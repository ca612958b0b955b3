/* Pooling over one, two or three spatial axes of images in NHWC; places outside the image
 * are not there. Vectors lie over channels, a block of which stays in the first level
 * cache. Of several maxima the first in the window counts; nan counts as the largest. */
#include <string.h>
#include "kernels/isa/conv.h"

enum { LANES = 256 }; /* channels at a time */

typedef struct Pool {
    int64_t images, channels;
    ConvAxis axis[CONV_AXES]; /* kernel: the window */
} Pool;

static Pool pool_of(const Call *call, const Shape *x, const Shape *y) {
    const int64_t *i = call->attrs.i;
    int axes = x->ndim - 2;
    Pool p = {.images = x->dim[0], .channels = x->dim[axes + 1]};
    for (int k = 0; k < CONV_AXES; k++) {
        int own = k - (CONV_AXES - axes);
        p.axis[k] = (ConvAxis){1, 1, 1, 1, 1, 0};
        if (own < 0) continue;
        p.axis[k] = (ConvAxis){.in = x->dim[1 + own],
                               .out = y->dim[1 + own],
                               .kernel = i[9 + own],
                               .stride = i[own],
                               .dilation = 1,
                               .before = i[3 + 2 * own]};
    }
    return p;
}

static Pool forward_of(const Call *call) {
    return pool_of(call, &call->in[0].shape, &call->out[0].shape);
}

/* The gradients' windows come from the last input. */
static Pool backward_of(const Call *call) {
    return pool_of(call, &call->out[0].shape, &call->in[call->n_in - 1].shape);
}

static int64_t places_in(const Pool *p) {
    return p->axis[0].in * p->axis[1].in * p->axis[2].in;
}
static int64_t places_out(const Pool *p) {
    return p->axis[0].out * p->axis[1].out * p->axis[2].out;
}

/* ---- the window of an output: places of the input, in elements of one image ---- */

typedef struct Window {
    int64_t n[CONV_AXES], step[CONV_AXES]; /* places, elements from one to the next */
    int64_t first, count;
} Window;

static Window window_of(const Pool *p, int64_t at) {
    Window w = {.count = 1};
    int64_t step = p->channels;
    for (int k = CONV_AXES - 1; k >= 0; k--) {
        const ConvAxis *a = &p->axis[k];
        int64_t o = at % a->out;
        at /= a->out;
        Span taps = axis_taps(a, o);
        w.n[k] = taps.end - taps.begin;
        w.step[k] = step;
        w.count *= w.n[k];
        w.first += (o * a->stride - a->before + taps.begin) * step;
        step *= a->in;
    }
    return w;
}

/* Calls `do` with `from`, the place's first element, for each place of the window. */
#define EACH_PLACE(w, from)                                                              \
    for (int64_t i0 = 0; i0 < (w).n[0]; i0++)                                            \
        for (int64_t i1 = 0; i1 < (w).n[1]; i1++)                                        \
            for (int64_t i2 = 0, from = (w).first + i0 * (w).step[0] + i1 * (w).step[1]; \
                 i2 < (w).n[2]; i2++, from += (w).step[2])

/* The maxima of n channels, and in which place of the window they are. */
#define MAXIMA(type, index)                                                              \
    static void maxima_##type(const type *x, const Window *w, int64_t n,                 \
                              type *restrict best, index *restrict place) {              \
        index number = 0;                                                                \
        EACH_PLACE(*w, from) {                                                           \
            const type *restrict v = x + from;                                           \
            if (number == 0) {                                                           \
                memcpy(best, v, (size_t)n * sizeof(type));                               \
                memset(place, 0, (size_t)n * sizeof(index));                             \
            } else {                                                                     \
                _Pragma("omp simd") for (int64_t c = 0; c < n; c++) {                    \
                    bool more =                                                          \
                        (v[c] > best[c]) | ((v[c] != v[c]) & (best[c] == best[c]));      \
                    place[c] = more ? number : place[c];                                 \
                    best[c] = more ? v[c] : best[c];                                     \
                }                                                                        \
            }                                                                            \
            number++;                                                                    \
        }                                                                                \
    }
MAXIMA(float, int32_t)
MAXIMA(double, int64_t)

/* Picks from g where x has its maxima; x and g are the same for max_pool. */
#define MAX_RUN(type, index)                                                             \
    static void max_##type(const Pool *p, const type *x, const type *g, type *y,         \
                           int64_t begin, int64_t end) {                                 \
        type best[LANES];                                                                \
        index place[LANES];                                                              \
        for (int64_t at = begin; at < end; at++) {                                       \
            Window w = window_of(p, at);                                                 \
            for (int64_t c0 = 0; c0 < p->channels; c0 += LANES) {                        \
                int64_t n = least(LANES, p->channels - c0);                              \
                type *restrict to = y + at * p->channels + c0;                           \
                maxima_##type(x + c0, &w, n, best, place);                               \
                if (g == x) {                                                            \
                    memcpy(to, best, (size_t)n * sizeof(type));                          \
                    continue;                                                            \
                }                                                                        \
                index number = 0;                                                        \
                EACH_PLACE(w, from) {                                                    \
                    const type *restrict v = g + c0 + from;                              \
                    _Pragma("omp simd") for (int64_t c = 0; c < n; c++) to[c] =          \
                        place[c] == number ? v[c] : to[c];                               \
                    number++;                                                            \
                }                                                                        \
            }                                                                            \
        }                                                                                \
    }                                                                                    \
    static void max_back_##type(const Pool *p, const type *x, const type *dy, type *dx,  \
                                int64_t begin, int64_t end) {                            \
        type best[LANES];                                                                \
        index place[LANES];                                                              \
        for (int64_t at = begin; at < end; at++) {                                       \
            Window w = window_of(p, at);                                                 \
            for (int64_t c0 = 0; c0 < p->channels; c0 += LANES) {                        \
                int64_t n = least(LANES, p->channels - c0);                              \
                const type *restrict d = dy + at * p->channels + c0;                     \
                index number = 0;                                                        \
                maxima_##type(x + c0, &w, n, best, place);                               \
                EACH_PLACE(w, from) {                                                    \
                    type *restrict to = dx + c0 + from;                                  \
                    _Pragma("omp simd") for (int64_t c = 0; c < n; c++) to[c] +=         \
                        place[c] == number ? d[c] : 0;                                   \
                    number++;                                                            \
                }                                                                        \
            }                                                                            \
        }                                                                                \
    }
MAX_RUN(float, int32_t)
MAX_RUN(double, int64_t)

#define MEAN_RUN(type)                                                                   \
    static void mean_##type(const Pool *p, const type *x, type *y, int64_t begin,        \
                            int64_t end) {                                               \
        const int64_t n = p->channels;                                                   \
        for (int64_t at = begin; at < end; at++) {                                       \
            Window w = window_of(p, at);                                                 \
            type *restrict to = y + at * n, count = (type)w.count;                       \
            for (int64_t c = 0; c < n; c++) to[c] = 0;                                   \
            EACH_PLACE(w, from) {                                                        \
                const type *restrict v = x + from;                                       \
                _Pragma("omp simd") for (int64_t c = 0; c < n; c++) to[c] += v[c];       \
            }                                                                            \
            _Pragma("omp simd") for (int64_t c = 0; c < n; c++) to[c] /= count;          \
        }                                                                                \
    }                                                                                    \
    static void mean_back_##type(const Pool *p, const type *dy, type *dx, int64_t begin, \
                                 int64_t end) {                                          \
        const int64_t n = p->channels;                                                   \
        for (int64_t at = begin; at < end; at++) {                                       \
            Window w = window_of(p, at);                                                 \
            const type *restrict d = dy + at * n;                                        \
            const type count = (type)w.count;                                            \
            EACH_PLACE(w, from) {                                                        \
                type *restrict to = dx + from;                                           \
                _Pragma("omp simd") for (int64_t c = 0; c < n; c++) to[c] +=             \
                    d[c] / count;                                                        \
            }                                                                            \
        }                                                                                \
    }
MEAN_RUN(float)
MEAN_RUN(double)

/* ---- parts: one image, and where windows do not overlap, some of its rows ---- */

enum { PART_PLACES = 4096 }; /* elements, about, that are worth a part */

/* The outermost axis with more than one place. */
static const ConvAxis *cut_axis(const Pool *p) {
    return &p->axis[p->axis[0].in > 1 ? 0 : p->axis[1].in > 1 ? 1 : 2];
}

/* Blocks that an image is cut into along that axis. */
static int64_t blocks_of(const Pool *p, bool backward) {
    const ConvAxis *a = cut_axis(p);
    if (backward && a->stride < a->kernel) return 1;
    return most(1, least(a->out, places_in(p) * p->channels / PART_PLACES));
}

/* The outputs of a part, and the first and last input that belong to it. */
typedef struct Work {
    int64_t image, begin, end;
    int64_t from, to;
} Work;

static Work work_of(const Pool *p, bool backward, int64_t part) {
    int64_t blocks = blocks_of(p, backward), b = part % blocks;
    const ConvAxis *a = cut_axis(p);
    int64_t out = places_out(p) / a->out, in = places_in(p) / a->in;
    int64_t first = a->out * b / blocks, last = a->out * (b + 1) / blocks;
    Work w = {.image = part / blocks, .begin = first * out, .end = last * out};
    w.from = first == 0 ? 0 : least(first * a->stride - a->before, a->in) * in;
    w.to =
        last == a->out ? places_in(p) : least(last * a->stride - a->before, a->in) * in;
    return w;
}

static int64_t forward_parts(const Call *call) {
    if (!call->out[0].size) return 1;
    Pool p = forward_of(call);
    return p.images * blocks_of(&p, false);
}

static int64_t backward_parts(const Call *call) {
    if (!call->out[0].size) return 1;
    Pool p = backward_of(call);
    return p.images * blocks_of(&p, true);
}

#define AT(operand, type, elements) ((type *)(operand).data + (elements))

static void max_pool_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = forward_of(call);
    Work w = work_of(&p, false, part);
    int64_t in = w.image * places_in(&p) * p.channels;
    int64_t out = w.image * places_out(&p) * p.channels;
    const Operand *g = &call->in[call->n_in - 1];
    if (call->in[0].dtype == DTYPE_FLOAT32)
        max_float(&p, AT(call->in[0], float, in), AT(*g, float, in),
                  AT(call->out[0], float, out), w.begin, w.end);
    else
        max_double(&p, AT(call->in[0], double, in), AT(*g, double, in),
                   AT(call->out[0], double, out), w.begin, w.end);
}

static void average_pool_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = forward_of(call);
    Work w = work_of(&p, false, part);
    int64_t in = w.image * places_in(&p) * p.channels;
    int64_t out = w.image * places_out(&p) * p.channels;
    if (call->in[0].dtype == DTYPE_FLOAT32)
        mean_float(&p, AT(call->in[0], float, in), AT(call->out[0], float, out), w.begin,
                   w.end);
    else
        mean_double(&p, AT(call->in[0], double, in), AT(call->out[0], double, out),
                    w.begin, w.end);
}

/* The part's outputs lie in the part's inputs alone, which begin as zeros. */
static Work backward_start(const Call *call, const Pool *p, int64_t part) {
    Work w = work_of(p, true, part);
    int64_t size = (int64_t)dtype_size(call->out[0].dtype) * p->channels;
    char *dx = (char *)call->out[0].data + (w.image * places_in(p) + w.from) * size;
    memset(dx, 0, (size_t)((w.to - w.from) * size));
    return w;
}

static void max_pool_grad_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = backward_of(call);
    Work w = backward_start(call, &p, part);
    int64_t in = w.image * places_in(&p) * p.channels;
    int64_t out = w.image * places_out(&p) * p.channels;
    if (call->out[0].dtype == DTYPE_FLOAT32)
        max_back_float(&p, AT(call->in[0], float, in), AT(call->in[1], float, out),
                       AT(call->out[0], float, in), w.begin, w.end);
    else
        max_back_double(&p, AT(call->in[0], double, in), AT(call->in[1], double, out),
                        AT(call->out[0], double, in), w.begin, w.end);
}

static void average_pool_grad_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = backward_of(call);
    Work w = backward_start(call, &p, part);
    int64_t in = w.image * places_in(&p) * p.channels;
    int64_t out = w.image * places_out(&p) * p.channels;
    if (call->out[0].dtype == DTYPE_FLOAT32)
        mean_back_float(&p, AT(call->in[0], float, out), AT(call->out[0], float, in),
                        w.begin, w.end);
    else
        mean_back_double(&p, AT(call->in[0], double, out), AT(call->out[0], double, in),
                         w.begin, w.end);
}

static double pool_cost(const Call *call) {
    double x = (double)call->in[0].size, y = (double)call->out[0].size;
    return 0.3 * (x > y ? x : y);
}

extern KERNEL(max_pool);
extern KERNEL(max_pool_pick);
extern KERNEL(max_pool_grad);
extern KERNEL(average_pool);
extern KERNEL(average_pool_grad);

KERNEL(max_pool) = {.cost = pool_cost, .phase = {{forward_parts, max_pool_run}}};
KERNEL(max_pool_pick) = {.cost = pool_cost, .phase = {{forward_parts, max_pool_run}}};
KERNEL(max_pool_grad) = {.cost = pool_cost,
                         .phase = {{backward_parts, max_pool_grad_run}}};
KERNEL(average_pool) = {.cost = pool_cost, .phase = {{forward_parts, average_pool_run}}};
KERNEL(average_pool_grad) = {.cost = pool_cost,
                             .phase = {{backward_parts, average_pool_grad_run}}};
