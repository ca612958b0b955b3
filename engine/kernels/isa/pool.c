/* Pooling and its gradients. Attributes: see the rows in graph/ops.def. */
#include <string.h>
#include "kernels/isa/pool.h"

static Pool forward_of(const Call *call) {
    Pool p;
    pool_set(&p, call->attrs.i, &call->in[0].shape, &call->out[0].shape);
    p.positive = call->attrs.i[15] == 1;
    return p;
}

/* The gradients' windows come from the last input. */
static Pool backward_of(const Call *call) {
    Pool p;
    pool_set(&p, call->attrs.i, &call->out[0].shape, &call->in[call->n_in - 1].shape);
    p.positive = call->attrs.i[15] == 1;
    return p;
}

/* ---- parts: one image, and where windows do not overlap, some of its rows ---- */

enum { PART_PLACES = 4096 }; /* elements, about, that are worth a part */

/* Blocks that an image is cut into along that axis. */
static int64_t blocks_of(const Pool *p, bool backward) {
    const ConvAxis *a = &p->axis[pool_cut_axis(p)];
    if (backward && a->stride < a->kernel) return 1;
    return most(1, least(a->out, pool_places_in(p) * p->channels / PART_PLACES));
}

/* The outputs of a part, and the first and last input that belong to it. */
typedef struct Work {
    int64_t image;
    Span outputs;
    int64_t from, to;
} Work;

static Work work_of(const Pool *p, bool backward, int64_t part) {
    int64_t blocks = blocks_of(p, backward), b = part % blocks;
    const ConvAxis *a = &p->axis[pool_cut_axis(p)];
    int64_t out = pool_places_out(p) / a->out, in = pool_places_in(p) / a->in;
    int64_t first = a->out * b / blocks, last = a->out * (b + 1) / blocks;
    Work w = {.image = part / blocks, .outputs = {first * out, last * out}};
    w.from = first == 0 ? 0 : least(first * a->stride - a->before, a->in) * in;
    w.to = last == a->out ? pool_places_in(p)
                          : least(last * a->stride - a->before, a->in) * in;
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

/* An operand's image, which has so many places. */
static void *image_of(const Operand *o, const Pool *p, int64_t image, int64_t places) {
    int64_t size = (int64_t)dtype_size(o->dtype);
    return (char *)o->data + image * places * p->channels * size;
}

static void max_pool_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = forward_of(call);
    Work w = work_of(&p, false, part);
    pool_routines(call->out[0].dtype)
        ->max(&p, image_of(&call->in[0], &p, w.image, pool_places_in(&p)),
              image_of(&call->in[call->n_in - 1], &p, w.image, pool_places_in(&p)),
              image_of(&call->out[0], &p, w.image, pool_places_out(&p)), w.outputs);
}

static void average_pool_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = forward_of(call);
    Work w = work_of(&p, false, part);
    pool_routines(call->out[0].dtype)
        ->mean(&p, image_of(&call->in[0], &p, w.image, pool_places_in(&p)),
               image_of(&call->out[0], &p, w.image, pool_places_out(&p)), w.outputs);
}

/* Is every place in one window, and one only? */
static bool tiles_all(const Pool *p) {
    for (int k = 0; k < CONV_AXES; k++) {
        const ConvAxis *a = &p->axis[k];
        if (a->stride != a->kernel || a->before || a->out * a->stride != a->in)
            return false;
    }
    return true;
}

/* The part's outputs lie in the part's inputs alone, which begin as zeros; written: the
 * windows write all their places. */
static void *backward_start(const Call *call, const Pool *p, const Work *w,
                            bool written) {
    int64_t size = (int64_t)dtype_size(call->out[0].dtype) * p->channels;
    char *dx = image_of(&call->out[0], p, w->image, pool_places_in(p));
    if (written && tiles_all(p)) return dx;
    memset(dx + w->from * size, 0, (size_t)((w->to - w->from) * size));
    return dx;
}

static void max_pool_grad_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = backward_of(call);
    Work w = work_of(&p, true, part);
    void *dx = backward_start(call, &p, &w, true);
    pool_routines(call->out[0].dtype)
        ->max_back(&p, image_of(&call->in[0], &p, w.image, pool_places_in(&p)),
                   image_of(&call->in[1], &p, w.image, pool_places_out(&p)), dx,
                   w.outputs);
}

static void average_pool_grad_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    Pool p = backward_of(call);
    Work w = work_of(&p, true, part);
    void *dx = backward_start(call, &p, &w, false);
    pool_routines(call->out[0].dtype)
        ->mean_back(&p, image_of(&call->in[0], &p, w.image, pool_places_out(&p)), dx,
                    w.outputs);
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
