/* The geometry of a reduction, from the shapes alone.
 *
 * Axes of size 1 are dropped and neighbours of the same kind (kept, reduced) joined.
 * When the last axis is reduced each output is a sum over runs of memory ("rows",
 * WIDTH 1); when it is kept, WIDTH outputs are computed side by side from rows of that
 * width ("columns").
 *
 * A unit is one output of the first form or a block of columns of the second. Few
 * large units are cut further, into segments of the elements that are reduced: phase 0
 * writes a partial for each, phase 1 combines them in order. */
#ifndef CDL_KERNELS_ISA_REDUCE_H
#define CDL_KERNELS_ISA_REDUCE_H
#include "kernels/call.h"

enum {
    REDUCE_KEPT,    /* number of kept axes, without the width */
    REDUCE_REDUCED, /* number of reduced axes, at least 1 */
    REDUCE_AXES,    /* (size, stride) of the kept axes, then of the reduced ones */
    REDUCE_WIDTH = REDUCE_AXES + 2 * SHAPE_MAX,
    REDUCE_COUNT,   /* elements reduced into each output */
    REDUCE_BLOCK,   /* columns in a unit */
    REDUCE_SEGMENT, /* reduced elements (rows: per column) in a segment */
    REDUCE_SEGMENTS,
    REDUCE_GROUP /* units in a part, 1 when there are segments */
};
_Static_assert((int)REDUCE_GROUP < (int)CALL_NOTES, "the geometry fits into the notes");

enum {
    REDUCE_LANES = 64,    /* accumulators side by side, the same on every ISA */
    REDUCE_DEPTH = 64,    /* elements added to one accumulator before it is emptied */
    REDUCE_WORK = 16384,  /* elements that make a part worth while */
    REDUCE_SPLIT = 32768, /* elements in a segment */
    REDUCE_COLUMNS = 512  /* most columns in a unit */
};

static inline int64_t reduce_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t reduce_max(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t reduce_blocks(const Call *call) {
    int64_t width = call->note[REDUCE_WIDTH], block = call->note[REDUCE_BLOCK];
    return (width + block - 1) / block;
}

static inline int64_t reduce_units(const Call *call) {
    return call->out[0].size / call->note[REDUCE_WIDTH] * reduce_blocks(call);
}

/* Sizes and strides of the collapsed axes. */
static inline void reduce_collapse(Call *call) {
    const Shape *shape = &call->in[0].shape;
    int64_t size[SHAPE_MAX + 1], stride[SHAPE_MAX + 1], step = 1, *note = call->note;
    bool reduced[SHAPE_MAX + 1];
    int axes = 0; /* innermost first */
    note[REDUCE_COUNT] = 1;
    for (int axis = shape->ndim - 1; axis >= 0; axis--) {
        int64_t n = shape->dim[axis];
        bool is_reduced = call->attrs.i[0] >> axis & 1;
        if (is_reduced) note[REDUCE_COUNT] *= n;
        if (n == 1) continue;
        if (axes && reduced[axes - 1] == is_reduced) {
            size[axes - 1] *= n;
        } else {
            size[axes] = n;
            stride[axes] = step;
            reduced[axes++] = is_reduced;
        }
        step *= n;
    }
    bool columns = axes && !reduced[0];
    note[REDUCE_WIDTH] = columns ? reduce_max(size[0], 1) : 1;
    note[REDUCE_KEPT] = note[REDUCE_REDUCED] = 0;
    int64_t *at = note + REDUCE_AXES;
    for (int kind = 0; kind < 2; kind++) {
        for (int k = axes - 1; k >= columns; k--) {
            if (reduced[k] != (kind == 1)) continue;
            *at++ = size[k];
            *at++ = stride[k];
            note[kind ? REDUCE_REDUCED : REDUCE_KEPT]++;
        }
    }
    if (!note[REDUCE_REDUCED]) {
        *at++ = 1;
        *at = 0;
        note[REDUCE_REDUCED] = 1;
    }
}

static inline void reduce_prepare(Call *call) {
    int64_t *note = call->note;
    reduce_collapse(call);
    int64_t width = note[REDUCE_WIDTH], count = note[REDUCE_COUNT];
    int64_t outputs = call->out[0].size / width, depth = reduce_max(count, 1);
    note[REDUCE_SEGMENT] = depth;
    note[REDUCE_SEGMENTS] = 1;
    note[REDUCE_BLOCK] = reduce_min(width, REDUCE_COLUMNS);
    int64_t units = outputs * reduce_blocks(call);
    int64_t segment = reduce_max(REDUCE_SPLIT / note[REDUCE_BLOCK], REDUCE_DEPTH);
    if (units < 16 && depth >= 2 * segment) {
        note[REDUCE_SEGMENT] = segment;
        note[REDUCE_SEGMENTS] = (depth + segment - 1) / segment;
        note[REDUCE_GROUP] = 1;
        return;
    }
    /* Narrower blocks make more parts of a reduction such as (128, 512) -> (512). */
    if (width > REDUCE_LANES) {
        int64_t block = reduce_max(REDUCE_WORK / depth / REDUCE_LANES, 1) * REDUCE_LANES;
        note[REDUCE_BLOCK] = reduce_min(block, note[REDUCE_BLOCK]);
    }
    note[REDUCE_GROUP] = reduce_max(REDUCE_WORK / (depth * note[REDUCE_BLOCK]), 1);
}

/* For kernels that cannot split what they reduce. */
static inline void reduce_prepare_whole(Call *call) {
    reduce_prepare(call);
    int64_t *note = call->note;
    if (note[REDUCE_SEGMENTS] == 1) return;
    note[REDUCE_SEGMENT] = note[REDUCE_COUNT];
    note[REDUCE_SEGMENTS] = 1;
    note[REDUCE_BLOCK] = reduce_min(note[REDUCE_WIDTH], REDUCE_LANES);
}

static inline int64_t reduce_parts(const Call *call) {
    return chunks(reduce_units(call) * call->note[REDUCE_SEGMENTS],
                  call->note[REDUCE_GROUP]);
}

static inline double reduce_cost(const Call *call) {
    return 0.08 * (double)call->in[0].size + 2 * (double)call->out[0].size;
}

/* What a part computes: units [first, last) over reduced elements [begin, end). */
typedef struct ReducePart {
    int64_t first, last, begin, end, segment;
} ReducePart;

static inline ReducePart reduce_part(const Call *call, int64_t part) {
    const int64_t *note = call->note;
    int64_t group = note[REDUCE_GROUP], segments = note[REDUCE_SEGMENTS];
    ReducePart p = {.end = note[REDUCE_COUNT]};
    if (segments > 1) {
        p.first = part / segments;
        p.last = p.first + 1;
        p.segment = part % segments;
        p.begin = p.segment * note[REDUCE_SEGMENT];
        p.end = reduce_min(p.begin + note[REDUCE_SEGMENT], p.end);
    } else {
        p.first = part * group;
        p.last = reduce_min(p.first + group, reduce_units(call));
    }
    return p;
}

/* Where a unit lies: its first input element, its first output, and its columns. */
typedef struct ReduceUnit {
    int64_t input, output, columns;
} ReduceUnit;

static inline ReduceUnit reduce_unit(const Call *call, int64_t unit) {
    const int64_t *note = call->note, *axis = note + REDUCE_AXES;
    int64_t blocks = reduce_blocks(call), column = 0, outer = unit;
    if (blocks > 1) {
        outer = unit / blocks;
        column = unit % blocks * note[REDUCE_BLOCK];
    }
    ReduceUnit u = {.input = column, .output = outer * note[REDUCE_WIDTH] + column};
    u.columns = reduce_min(note[REDUCE_BLOCK], note[REDUCE_WIDTH] - column);
    for (int k = (int)note[REDUCE_KEPT] - 1; k > 0; k--) {
        u.input += outer % axis[2 * k] * axis[2 * k + 1];
        outer /= axis[2 * k];
    }
    if (note[REDUCE_KEPT]) u.input += outer * axis[1];
    return u;
}

/* The reduced elements from *at up to end that lie along the innermost reduced axis:
 * their number; *offset is that of the first, *stride the distance between them.
 * Advances *at. */
static inline int64_t reduce_run(const Call *call, int64_t *at, int64_t end,
                                 int64_t *offset, int64_t *stride) {
    const int64_t *note = call->note, *axis = note + REDUCE_AXES + 2 * note[REDUCE_KEPT];
    int inner = (int)note[REDUCE_REDUCED] - 1;
    int64_t left = *at, index = left;
    *offset = 0;
    *stride = axis[2 * inner + 1];
    if (inner) {
        index = left % axis[2 * inner];
        left /= axis[2 * inner];
        for (int k = inner - 1; k >= 0; k--) {
            *offset += left % axis[2 * k] * axis[2 * k + 1];
            left /= axis[2 * k];
        }
    }
    *offset += index * *stride;
    int64_t n = reduce_min(axis[2 * inner] - index, end - *at);
    *at += n;
    return n;
}

#endif
