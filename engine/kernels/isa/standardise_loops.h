/* The loops of standardise.c on one dtype; included with these macros:
 *
 *   NAME(x)    a name of its own for each function
 *   REAL       element type
 *   ROOT       square root
 *
 * Sums go over blocks in REAL and from there on in double, so that their error does not grow
 * with the length; the lanes are the same on every ISA, so are the bits. */

/* ---- lines in memory ---- */

static double NAME(sum)(const REAL *restrict x, int64_t n) {
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += SUM_BLOCK) {
        const int64_t end = shorter(begin + SUM_BLOCK, n);
        REAL lane[LANES] = {0};
        int64_t i = begin;
        for (; i + LANES <= end; i += LANES)
#pragma omp simd
            for (int l = 0; l < LANES; l++) lane[l] += x[i + l];
        for (int l = 0; i + l < end; l++) lane[l] += x[i + l];
        for (int l = 0; l < LANES; l++) total += (double)lane[l];
    }
    return total;
}

/* Of (x - a) (y - a). */
static double NAME(product)(const REAL *x, const REAL *y, REAL a, int64_t n) {
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += SUM_BLOCK) {
        const int64_t end = shorter(begin + SUM_BLOCK, n);
        REAL lane[LANES] = {0};
        int64_t i = begin;
        for (; i + LANES <= end; i += LANES)
#pragma omp simd
            for (int l = 0; l < LANES; l++) lane[l] += (x[i + l] - a) * (y[i + l] - a);
        for (int l = 0; i + l < end; l++) lane[l] += (x[i + l] - a) * (y[i + l] - a);
        for (int l = 0; l < LANES; l++) total += (double)lane[l];
    }
    return total;
}

static void NAME(line)(const Call *call, int64_t line) {
    const int64_t n = call->note[LENGTH];
    const REAL *restrict x = (const REAL *)call->in[0].data + line * n;
    REAL *restrict y = (REAL *)call->out[0].data + line * n;
    const REAL mean = (REAL)(NAME(sum)(x, n) / (double)n);
    const REAL variance = (REAL)(NAME(product)(x, x, mean, n) / (double)n);
    const REAL factor = 1 / ROOT(variance + (REAL)call->attrs.f[0]);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * factor;
    ((REAL *)call->out[1].data)[line] = mean;
    ((REAL *)call->out[2].data)[line] = variance;
}

static void NAME(line_back)(const Call *call, int64_t line) {
    const int64_t n = call->note[LENGTH];
    const REAL *restrict y = (const REAL *)call->in[0].data + line * n;
    const REAL *restrict dy = (const REAL *)call->in[2].data + line * n;
    REAL *restrict dx = (REAL *)call->out[0].data + line * n;
    const REAL variance = ((const REAL *)call->in[1].data)[line];
    const REAL factor = 1 / ROOT(variance + (REAL)call->attrs.f[0]);
    const REAL mean = (REAL)(NAME(sum)(dy, n) / (double)n);
    const REAL along = (REAL)(NAME(product)(y, dy, 0, n) / (double)n);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dx[i] = factor * (dy[i] - mean - y[i] * along);
}

/* ---- columns side by side ---- */

/* Mean and sum of squared deviations of the rows of a segment, for each column. */
static void NAME(segment)(const Call *call, const Segment *s, double *restrict mean,
                          double *restrict squares) {
    const int64_t inner = call->note[INNER];
    const REAL *x = (const REAL *)call->in[0].data + s->first * inner;
    for (int64_t c = 0; c < inner; c += COLUMNS) {
        const int64_t columns = shorter(COLUMNS, inner - c);
        REAL sum[COLUMNS] = {0}, square[COLUMNS] = {0};
        for (int64_t r = 0; r < s->rows; r++) {
            const REAL *row = x + r * inner + c;
#pragma omp simd
            for (int64_t k = 0; k < columns; k++) sum[k] += row[k];
        }
        for (int64_t k = 0; k < columns; k++) sum[k] /= (REAL)s->rows;
        for (int64_t r = 0; r < s->rows; r++) {
            const REAL *row = x + r * inner + c;
#pragma omp simd
            for (int64_t k = 0; k < columns; k++)
                square[k] += (row[k] - sum[k]) * (row[k] - sum[k]);
        }
        for (int64_t k = 0; k < columns; k++) {
            mean[c + k] = (double)sum[k];
            squares[c + k] = (double)square[k];
        }
    }
}

static void NAME(keep)(const Call *call, int64_t outer, const double *mean,
                       const double *variance) {
    const int64_t inner = call->note[INNER];
    REAL *means = (REAL *)call->out[1].data + outer * inner;
    REAL *variances = (REAL *)call->out[2].data + outer * inner;
    for (int64_t c = 0; c < inner; c++) {
        means[c] = (REAL)mean[c];
        variances[c] = (REAL)variance[c];
    }
}

static void NAME(apply)(const Call *call, const Segment *s) {
    const int64_t inner = call->note[INNER], at = s->first * inner;
    const REAL *x = (const REAL *)call->in[0].data + at;
    REAL *y = (REAL *)call->out[0].data + at;
    const REAL *mean = (const REAL *)call->out[1].data + s->outer * inner;
    const REAL *variance = (const REAL *)call->out[2].data + s->outer * inner;
    const REAL epsilon = (REAL)call->attrs.f[0];
    for (int64_t c = 0; c < inner; c += COLUMNS) {
        const int64_t columns = shorter(COLUMNS, inner - c);
        REAL factor[COLUMNS];
        for (int64_t k = 0; k < columns; k++)
            factor[k] = 1 / ROOT(variance[c + k] + epsilon);
        for (int64_t r = 0; r < s->rows; r++) {
            const REAL *from = x + r * inner + c;
            REAL *to = y + r * inner + c;
#pragma omp simd
            for (int64_t k = 0; k < columns; k++)
                to[k] = (from[k] - mean[c + k]) * factor[k];
        }
    }
}

/* Sums of dy and of y dy over the rows of a segment. */
static void NAME(segment_back)(const Call *call, const Segment *s, double *restrict sums,
                               double *restrict products) {
    const int64_t inner = call->note[INNER], at = s->first * inner;
    const REAL *y = (const REAL *)call->in[0].data + at;
    const REAL *dy = (const REAL *)call->in[2].data + at;
    for (int64_t c = 0; c < inner; c += COLUMNS) {
        const int64_t columns = shorter(COLUMNS, inner - c);
        REAL sum[COLUMNS] = {0}, product[COLUMNS] = {0};
        for (int64_t r = 0; r < s->rows; r++) {
            const REAL *a = y + r * inner + c, *b = dy + r * inner + c;
#pragma omp simd
            for (int64_t k = 0; k < columns; k++) {
                sum[k] += b[k];
                product[k] += a[k] * b[k];
            }
        }
        for (int64_t k = 0; k < columns; k++) {
            sums[c + k] = (double)sum[k];
            products[c + k] = (double)product[k];
        }
    }
}

static void NAME(apply_back)(const Call *call, const Segment *s, const double *sums,
                             const double *products) {
    const int64_t inner = call->note[INNER], at = s->first * inner;
    const REAL *y = (const REAL *)call->in[0].data + at;
    const REAL *dy = (const REAL *)call->in[2].data + at;
    REAL *dx = (REAL *)call->out[0].data + at;
    const REAL *variance = (const REAL *)call->in[1].data + s->outer * inner;
    const double n = (double)call->note[LENGTH];
    for (int64_t c = 0; c < inner; c += COLUMNS) {
        const int64_t columns = shorter(COLUMNS, inner - c);
        REAL factor[COLUMNS], mean[COLUMNS], along[COLUMNS];
        for (int64_t k = 0; k < columns; k++) {
            factor[k] = 1 / ROOT(variance[c + k] + (REAL)call->attrs.f[0]);
            mean[k] = (REAL)(sums[c + k] / n);
            along[k] = (REAL)(products[c + k] / n);
        }
        for (int64_t r = 0; r < s->rows; r++) {
            const REAL *a = y + r * inner + c, *b = dy + r * inner + c;
            REAL *to = dx + r * inner + c;
#pragma omp simd
            for (int64_t k = 0; k < columns; k++)
                to[k] = factor[k] * (b[k] - mean[k] - a[k] * along[k]);
        }
    }
}
