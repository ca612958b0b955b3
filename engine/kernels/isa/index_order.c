/* index_order: the indices (COUNT) in ascending order, and where each stood: (2, COUNT).
 * Sorted digit by digit, least significant first, which keeps equal ones in order. */
#include "kernels/isa/index.h"

enum { DIGIT = 11, RADIX = 1 << DIGIT };

static int digits_of(int64_t size) {
    int digits = 1;
    for (int64_t largest = size - 1; largest >> DIGIT * digits > 0;) digits++;
    return digits;
}

static size_t order_scratch(const Call *call) {
    bool once = digits_of(call->attrs.i[0]) == 1;
    return once ? 0 : 2 * (size_t)call->in[0].size * sizeof(int64_t);
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
    int64_t place[RADIX] = {0}, sum = 0;
    for (int64_t k = 0; k < count; k++) {
        if (digit == 0) index_check(call, from[k], k, size);
        place[row_of(from[k], size) >> DIGIT * digit & (RADIX - 1)]++;
    }
    for (int value = 0; value < RADIX; value++) {
        int64_t here = place[value];
        place[value] = sum;
        sum += here;
    }
    for (int64_t k = 0; k < count; k++) {
        int64_t row = row_of(from[k], size);
        int64_t at = place[row >> DIGIT * digit & (RADIX - 1)]++;
        to[at] = row;
        to[count + at] = digit == 0 ? k : from[count + k];
    }
}

/* The last digit's pass writes to the output. */
static void order_run(const Call *call, int64_t part) {
    int digits = digits_of(call->attrs.i[0]);
    int64_t *to = digits % 2 ? call->out[0].data : call->scratch;
    int64_t *other = digits % 2 ? call->scratch : call->out[0].data;
    order_digit(call, 0, call->in[0].data, to);
    for (int digit = 1; digit < digits; digit++) {
        int64_t *from = to;
        to = other;
        other = from;
        order_digit(call, digit, from, to);
    }
}

static double order_cost(const Call *call) {
    return 1000 + 4.0 * (double)(call->in[0].size * digits_of(call->attrs.i[0]));
}

KERNEL(index_order) = {.flags = KERNEL_FAULTS,
                       .scratch = order_scratch,
                       .cost = order_cost,
                       .phase = {{NULL, order_run}}};
