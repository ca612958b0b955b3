/* index_order: the indices (COUNT) in ascending order, and where each stood: (2, COUNT).
 * Sorted digit by digit, least significant first, which keeps equal ones in order. */
#include <string.h>
#include "kernels/isa/index.h"

enum { BITS, DIGITS, RADIX_BITS = 11 };

/* One digit of all bits, where its table is no larger than the work; else short ones. */
static void order_prepare(Call *call) {
    int64_t *note = call->note, bits = 1;
    while ((call->attrs.i[0] - 1) >> bits > 0) bits++;
    bool once = bits <= RADIX_BITS || (int64_t)1 << bits <= call->in[0].size;
    note[BITS] = once ? bits : RADIX_BITS;
    note[DIGITS] = (bits + note[BITS] - 1) / note[BITS];
}

/* The table, and (2, COUNT) between two digits. */
static size_t order_scratch(const Call *call) {
    int64_t between = call->note[DIGITS] > 1 ? 2 * call->in[0].size : 0;
    return (size_t)(((int64_t)1 << call->note[BITS]) + between) * sizeof(int64_t);
}

/* An index out of range stands for row 0: the run fails, and nothing is kept of it. */
static inline int64_t row_of(int64_t index, int64_t size) {
    return (uint64_t)index < (uint64_t)size ? index : 0;
}

/* One digit: from (2, COUNT), at first the indices as they stand, to (2, COUNT). */
static inline __attribute__((always_inline)) void
order_digit(const Call *call, int digit, const int64_t *restrict from,
            int64_t *restrict to) {
    int64_t count = call->in[0].size, size = call->attrs.i[0];
    int64_t radix = (int64_t)1 << call->note[BITS], shift = call->note[BITS] * digit;
    int64_t *restrict place = call->scratch, sum = 0;
    memset(place, 0, (size_t)radix * sizeof *place);
    for (int64_t k = 0; k < count; k++) {
        if (digit == 0) index_check(call, from[k], k, size);
        place[row_of(from[k], size) >> shift & (radix - 1)]++;
    }
    for (int64_t value = 0; value < radix; value++) {
        int64_t here = place[value];
        place[value] = sum;
        sum += here;
    }
    for (int64_t k = 0; k < count; k++) {
        int64_t row = row_of(from[k], size);
        int64_t at = place[row >> shift & (radix - 1)]++;
        to[at] = row;
        to[count + at] = digit == 0 ? k : from[count + k];
    }
}

/* The last digit's pass writes to the output. */
static void order_run(const Call *call, int64_t part) {
    int64_t *between = (int64_t *)call->scratch + ((int64_t)1 << call->note[BITS]);
    int64_t *out = call->out[0].data, digits = call->note[DIGITS];
    int64_t *to = digits % 2 ? out : between, *other = digits % 2 ? between : out;
    order_digit(call, 0, call->in[0].data, to);
    for (int digit = 1; digit < digits; digit++) {
        int64_t *from = to;
        to = other;
        other = from;
        order_digit(call, digit, from, to);
    }
}

static double order_cost(const Call *call) {
    return 1000 + 3.0 * (double)(call->in[0].size * call->note[DIGITS]);
}

KERNEL(index_order) = {.flags = KERNEL_FAULTS,
                       .prepare = order_prepare,
                       .scratch = order_scratch,
                       .cost = order_cost,
                       .phase = {{NULL, order_run}}};
