/* Kernels that work along one axis, attrs.i[0]: the input is (OUTER, LENGTH, INNER).
 *
 * With INNER 1 a line lies in memory; else the lines of LINES_BLOCK neighbouring inner
 * indices are walked side by side, so that loops over them vectorise. A unit is one
 * line of the first kind or one block of the second; a part is LINES_GROUP units. */
#ifndef CDL_KERNELS_ISA_LINES_H
#define CDL_KERNELS_ISA_LINES_H
#include "kernels/call.h"

enum { LINES_OUTER, LINES_LENGTH, LINES_INNER, LINES_GROUP };
enum { LINES_BLOCK = 64, LINES_WORK = 16384 };

static inline int64_t lines_blocks(const Call *call) {
    return (call->note[LINES_INNER] + LINES_BLOCK - 1) / LINES_BLOCK;
}

static inline int64_t lines_units(const Call *call) {
    return call->note[LINES_OUTER] * lines_blocks(call);
}

/* The axis of an operand: in[0] for most kernels. */
static inline void lines_split(Call *call, const Shape *shape) {
    int64_t axis = call->attrs.i[0], *note = call->note;
    note[LINES_OUTER] = note[LINES_LENGTH] = note[LINES_INNER] = 1;
    for (int k = 0; k < shape->ndim; k++)
        note[k < axis   ? LINES_OUTER
             : k > axis ? LINES_INNER
                        : LINES_LENGTH] *= shape->dim[k];
    int64_t side = note[LINES_INNER] < LINES_BLOCK ? note[LINES_INNER] : LINES_BLOCK;
    int64_t work = note[LINES_LENGTH] * side, group = LINES_WORK / (work > 0 ? work : 1);
    note[LINES_GROUP] = group > 0 ? group : 1;
}

static inline void lines_prepare(Call *call) { lines_split(call, &call->in[0].shape); }

static inline int64_t lines_parts(const Call *call) {
    return chunks(lines_units(call), call->note[LINES_GROUP]);
}

/* The lines of one unit: side of them, whose first is (outer, inner). */
typedef struct Lines {
    int64_t outer, inner, side;
} Lines;

static inline Lines lines_unit(const Call *call, int64_t unit) {
    int64_t blocks = lines_blocks(call);
    Lines lines = {.outer = unit / blocks, .inner = unit % blocks * LINES_BLOCK};
    int64_t left = call->note[LINES_INNER] - lines.inner;
    lines.side = left < LINES_BLOCK ? left : LINES_BLOCK;
    return lines;
}

static inline void lines_range(const Call *call, int64_t part, int64_t *first,
                               int64_t *last) {
    int64_t units = lines_units(call);
    *first = part * call->note[LINES_GROUP];
    *last = *first + call->note[LINES_GROUP];
    if (*last > units) *last = units;
}

#endif
