/* pad and unslice put the input into a box of a larger output; concat puts several
 * side by side. All move bytes, whatever the dtype. */
#include <string.h>
#include "kernels/isa/loops.h"

/* Where the input's index i lies along an axis of the output: start + i * step. */
typedef struct BoxAxis {
    int64_t start, step;
} BoxAxis;

typedef BoxAxis BoxRule(const Call *call, int axis);

static BoxAxis pad_axis(const Call *call, int axis) {
    return (BoxAxis){call->attrs.i[2 * axis], 1};
}

static BoxAxis unslice_axis(const Call *call, int axis) {
    return (BoxAxis){call->attrs.i[axis], call->attrs.i[12 + axis]};
}

/* A line is the output along BOX_AXIS, the last axis along which box and output
 * differ; its cells are the elements of the axes behind. */
enum { BOX_AXIS, BOX_CELL, BOX_LINES, BOX_GROUP };

static void box_prepare(Call *call, BoxRule *rule) {
    const Shape *out = &call->out[0].shape, *in = &call->in[0].shape;
    int axis = out->ndim - 1;
    int64_t cell = 1, *note = call->note;
    for (; axis > 0; axis--) {
        BoxAxis box = rule(call, axis);
        if (box.start != 0 || box.step != 1 || in->dim[axis] != out->dim[axis]) break;
        cell *= out->dim[axis];
    }
    int64_t line = cell * (axis >= 0 ? out->dim[axis] : 1);
    note[BOX_AXIS] = axis;
    note[BOX_CELL] = cell;
    note[BOX_LINES] = line ? call->out[0].size / line : 0;
    note[BOX_GROUP] = line && line < KERNEL_CHUNK ? KERNEL_CHUNK / line : 1;
}

static void pad_prepare(Call *call) { box_prepare(call, pad_axis); }
static void unslice_prepare(Call *call) { box_prepare(call, unslice_axis); }

static int64_t box_parts(const Call *call) {
    return chunks(call->note[BOX_LINES], call->note[BOX_GROUP]);
}

/* n elements of `bytes` bytes, all like value. */
static void fill(char *to, const void *value, int64_t n, int64_t bytes) {
    if (bytes == 1) {
        memset(to, *(const uint8_t *)value, (size_t)n);
    } else if (bytes == 4) {
        uint32_t *y = (uint32_t *)to, v = *(const uint32_t *)value;
        SIMD_LOOP(i, n) y[i] = v;
    } else {
        uint64_t *y = (uint64_t *)to, v = *(const uint64_t *)value;
        SIMD_LOOP(i, n) y[i] = v;
    }
}

/* The input's line that belongs to an output line, or -1 when it lies outside the box. */
static int64_t box_source(const Call *call, int64_t line, BoxRule *rule) {
    const Shape *out = &call->out[0].shape, *in = &call->in[0].shape;
    int64_t source = 0, step = 1;
    for (int k = (int)call->note[BOX_AXIS] - 1; k >= 0; k--) {
        BoxAxis box = rule(call, k);
        int64_t from_start = line % out->dim[k] - box.start,
                index = from_start / box.step;
        if (from_start % box.step != 0 || index < 0 || index >= in->dim[k]) return -1;
        source += index * step;
        step *= in->dim[k];
        line /= out->dim[k];
    }
    return source;
}

static void box_run(const Call *call, int64_t part, const void *value, BoxRule *rule) {
    const int64_t *note = call->note;
    int64_t bytes = loop_bytes[call->out[0].dtype], cell = note[BOX_CELL];
    int axis = (int)note[BOX_AXIS];
    BoxAxis box = axis < 0 ? (BoxAxis){0, 1} : rule(call, axis);
    int64_t width = axis < 0 ? 1 : call->out[0].shape.dim[axis];
    int64_t n = axis < 0 ? 1 : call->in[0].shape.dim[axis];
    int64_t first = part * note[BOX_GROUP], last = first + note[BOX_GROUP];
    if (last > note[BOX_LINES]) last = note[BOX_LINES];
    for (int64_t line = first; line < last; line++) {
        char *y = (char *)call->out[0].data + line * width * cell * bytes;
        int64_t source = n ? box_source(call, line, rule) : -1;
        if (source < 0) {
            fill(y, value, width * cell, bytes);
            continue;
        }
        const char *x = (const char *)call->in[0].data + source * n * cell * bytes;
        if (box.step == 1) {
            int64_t behind = box.start + n;
            fill(y, value, box.start * cell, bytes);
            memcpy(y + box.start * cell * bytes, x, (size_t)(n * cell * bytes));
            fill(y + behind * cell * bytes, value, (width - behind) * cell, bytes);
            continue;
        }
        fill(y, value, width * cell, bytes);
        for (int64_t i = 0; i < n; i++)
            memcpy(y + (box.start + i * box.step) * cell * bytes, x + i * cell * bytes,
                   (size_t)(cell * bytes));
    }
}

static void pad_run(const Call *call, int64_t part) {
    union {
        double alignment;
        char bytes[sizeof(double)];
    } value = {0};
    dtype_store(call->out[0].dtype, value.bytes, call->attrs.f[0]);
    box_run(call, part, value.bytes, pad_axis);
}

static void unslice_run(const Call *call, int64_t part) {
    static const uint64_t zero = 0;
    box_run(call, part, &zero, unslice_axis);
}

KERNEL(pad) = {.prepare = pad_prepare, .phase = {{box_parts, pad_run}}};
KERNEL(unslice) = {.prepare = unslice_prepare, .phase = {{box_parts, unslice_run}}};

/* The output as rows: the axes before attrs.i[0]. In each row every input has one
 * piece. */
static int64_t concat_rows(const Call *call) {
    int64_t rows = 1;
    for (int k = 0; k < call->attrs.i[0]; k++) rows *= call->out[0].shape.dim[k];
    return rows;
}

static void concat_run(const Call *call, int64_t part) {
    int64_t begin, end, rows = concat_rows(call), bytes = loop_bytes[call->out[0].dtype];
    loop_range(call, part, &begin, &end);
    if (begin >= end) return;
    int64_t width = call->out[0].size / rows;
    char *y = call->out[0].data;
    for (int64_t row = begin / width; row * width < end; row++) {
        int64_t at = row * width;
        for (int k = 0; k < call->n_in; k++) {
            int64_t piece = call->in[k].size / rows;
            int64_t from = at > begin ? at : begin;
            int64_t to = at + piece < end ? at + piece : end;
            if (from < to)
                memcpy(y + from * bytes,
                       (const char *)call->in[k].data + (row * piece + from - at) * bytes,
                       (size_t)((to - from) * bytes));
            at += piece;
        }
    }
}

KERNEL(concat) = {.phase = {{loop_parts, concat_run}}};
