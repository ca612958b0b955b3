/* The loops of one reduction on one dtype; included several times by the files that
 * define kernels, each time with these macros:
 *
 *   NAME(x)            a name of its own for each function: sum_float_x
 *   IN, OUT            element types
 *   ACCUMULATOR        type of the inner loops
 *   TOTAL              type to which accumulators are added after REDUCE_DEPTH elements:
 *                      double for float sums, whose error so does not grow with length
 *   START              what combines to nothing
 *   COMBINE(a, x)      one more element; also adds accumulators to totals and totals
 *   FINISH(a)          the output, from a and `call`
 *
 * The lanes are the same on every ISA and are folded in one order, so are the bits. */

/* Rows of REDUCE_LANES elements, added lane by lane to the totals. The accumulators
 * stay in registers. */
static void NAME(tile)(TOTAL *restrict total, const IN *restrict x, int64_t rows,
                       int64_t stride) {
    for (int64_t begin = 0; begin < rows; begin += REDUCE_DEPTH) {
        ACCUMULATOR lane[REDUCE_LANES];
        int64_t end = reduce_min(begin + REDUCE_DEPTH, rows);
        for (int l = 0; l < REDUCE_LANES; l++) lane[l] = START;
        for (int64_t r = begin; r < end; r++) {
            const IN *row = x + r * stride;
#pragma omp simd
            for (int l = 0; l < REDUCE_LANES; l++) lane[l] = COMBINE(lane[l], row[l]);
        }
#pragma omp simd
        for (int l = 0; l < REDUCE_LANES; l++)
            total[l] = COMBINE(total[l], (TOTAL)lane[l]);
    }
}

/* The same for fewer lanes. */
static void NAME(narrow)(TOTAL *restrict total, const IN *restrict x, int64_t rows,
                         int64_t stride, int64_t lanes) {
    for (int64_t begin = 0; begin < rows; begin += REDUCE_DEPTH) {
        ACCUMULATOR lane[REDUCE_LANES];
        int64_t end = reduce_min(begin + REDUCE_DEPTH, rows);
        for (int l = 0; l < REDUCE_LANES; l++) lane[l] = START;
        for (int64_t r = begin; r < end; r++) {
            const IN *row = x + r * stride;
#pragma omp simd
            for (int64_t l = 0; l < lanes; l++) lane[l] = COMBINE(lane[l], row[l]);
        }
#pragma omp simd
        for (int64_t l = 0; l < lanes; l++) total[l] = COMBINE(total[l], (TOTAL)lane[l]);
    }
}

static TOTAL NAME(fold)(TOTAL *lane, int lanes) {
    for (int half = lanes / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] = COMBINE(lane[l], lane[l + half]);
    return lane[0];
}

/* n elements side by side. Shorter runs take eight lanes or one. */
static TOTAL NAME(run_of)(const IN *x, int64_t n) {
    TOTAL total = START, lane[REDUCE_LANES];
    int64_t at = 0;
    if (n >= REDUCE_LANES) {
        for (int l = 0; l < REDUCE_LANES; l++) lane[l] = START;
        NAME(tile)(lane, x, n / REDUCE_LANES, REDUCE_LANES);
        at = n / REDUCE_LANES * REDUCE_LANES;
        total = NAME(fold)(lane, REDUCE_LANES);
    }
    if (n - at >= 16) {
        ACCUMULATOR few[8];
        for (int l = 0; l < 8; l++) few[l] = START;
        for (; at + 8 <= n; at += 8)
#pragma omp simd
            for (int l = 0; l < 8; l++) few[l] = COMBINE(few[l], x[at + l]);
        for (int l = 0; l < 8; l++) lane[l] = few[l];
        total = COMBINE(total, NAME(fold)(lane, 8));
    }
    for (; at < n; at++) total = COMBINE(total, (TOTAL)x[at]);
    return total;
}

/* One output: reduced elements [begin, end) from x. */
static TOTAL NAME(row)(const Call *call, const IN *x, int64_t begin, int64_t end) {
    TOTAL total = START;
    while (begin < end) {
        int64_t offset, stride, n = reduce_run(call, &begin, end, &offset, &stride);
        total = COMBINE(total, NAME(run_of)(x + offset, n));
    }
    return total;
}

/* Columns of a narrow matrix whose rows follow each other: several rows make one wide
 * row, whose lanes are folded at the end. */
static void NAME(few_columns)(TOTAL *total, const IN *x, int64_t rows, int64_t columns) {
    TOTAL lane[REDUCE_LANES];
    int64_t packed = REDUCE_LANES / columns, wide = rows / packed;
    for (int l = 0; l < REDUCE_LANES; l++) lane[l] = START;
    NAME(narrow)(lane, x, wide, packed * columns, packed * columns);
    for (int64_t k = 0; k < packed; k++)
        for (int64_t c = 0; c < columns; c++)
            total[c] = COMBINE(total[c], lane[k * columns + c]);
    x += wide * packed * columns;
    NAME(narrow)(total, x, rows - wide * packed, columns, columns);
}

static void NAME(columns)(const Call *call, TOTAL *total, const IN *x, int64_t begin,
                          int64_t end, int64_t columns) {
    for (int64_t c = 0; c < columns; c++) total[c] = START;
    while (begin < end) {
        int64_t offset, stride, n = reduce_run(call, &begin, end, &offset, &stride);
        const IN *first = x + offset;
        if (columns == stride && 2 * columns <= REDUCE_LANES) {
            NAME(few_columns)(total, first, n, columns);
            continue;
        }
        for (int64_t r = 0; r < n; r += REDUCE_DEPTH) {
            int64_t rows = reduce_min(REDUCE_DEPTH, n - r), c = 0;
            const IN *row = first + r * stride;
            for (; c + REDUCE_LANES <= columns; c += REDUCE_LANES)
                NAME(tile)(total + c, row + c, rows, stride);
            if (c < columns) NAME(narrow)(total + c, row + c, rows, stride, columns - c);
        }
    }
}

static void NAME(run)(const Call *call, int64_t part) {
    ReducePart p = reduce_part(call, part);
    int64_t segments = call->note[REDUCE_SEGMENTS], width = call->note[REDUCE_WIDTH];
    for (int64_t unit = p.first; unit < p.last; unit++) {
        ReduceUnit u = reduce_unit(call, unit);
        const IN *x = (const IN *)call->in[0].data + u.input;
        TOTAL total[REDUCE_COLUMNS];
        if (width == 1)
            total[0] = NAME(row)(call, x, p.begin, p.end);
        else
            NAME(columns)(call, total, x, p.begin, p.end, u.columns);
        if (segments == 1) {
            OUT *y = (OUT *)call->out[0].data + u.output;
            for (int64_t c = 0; c < u.columns; c++) y[c] = (OUT)FINISH(total[c]);
        } else {
            TOTAL *partial = (TOTAL *)call->scratch + p.segment * call->out[0].size;
            for (int64_t c = 0; c < u.columns; c++) partial[u.output + c] = total[c];
        }
    }
}

/* Phase 1: outputs [begin, end) from their partials, in order. */
static void NAME(combine)(const Call *call, int64_t begin, int64_t end) {
    int64_t segments = call->note[REDUCE_SEGMENTS];
    OUT *y = call->out[0].data;
    const TOTAL *partial = call->scratch;
    for (int64_t i = begin; i < end; i++) {
        TOTAL total = partial[i];
        for (int64_t s = 1; s < segments; s++)
            total = COMBINE(total, partial[s * call->out[0].size + i]);
        y[i] = (OUT)FINISH(total);
    }
}

#undef NAME
#undef IN
#undef OUT
#undef ACCUMULATOR
#undef TOTAL
