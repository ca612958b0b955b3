/* standardise: x (OUTER, LENGTH, INNER) with mean 0 and variance 1 along LENGTH, and the way
 * back. What batch and layer normalization are made of.
 *
 * With INNER 1 a line lies in memory, and phase 0 does all. Else the rows of one outer index
 * are cut into segments: phase 0 gives each segment's mean and squared deviations, phase 1
 * joins them in order (Chan, Golub and LeVeque 1979), phase 2 goes through the segments
 * again. */
#include <math.h>
#include <stdbool.h>
#include "kernels/call.h"

enum {
    OUTER,
    LENGTH,
    INNER,
    ROWS
}; /* ROWS: in a segment; with INNER 1 lines in a part */
enum { COLUMNS = 64, SUM_BLOCK = 1024, LANES = 16, SEGMENT_ROWS = 16 };

/* Rows first .. first + rows - 1 of x as a whole, which belong to one outer index. */
typedef struct Segment {
    int64_t outer, first, rows;
} Segment;

static inline int64_t shorter(int64_t a, int64_t b) { return a < b ? a : b; }

#define REAL    float
#define ROOT    sqrtf
#define NAME(x) x##_float
#include "kernels/isa/standardise_loops.h"
#undef REAL
#undef ROOT
#undef NAME
#define REAL    double
#define ROOT    sqrt
#define NAME(x) x##_double
#include "kernels/isa/standardise_loops.h"

static bool is_float(const Call *call) { return call->out[0].dtype == DTYPE_FLOAT32; }

#define RUN(function, ...)                                                               \
    (is_float(call) ? function##_float(__VA_ARGS__) : function##_double(__VA_ARGS__))

/* The axes are attrs.i[0] .. attrs.i[0] + attrs.i[1] - 1. */
static void prepare(Call *call) {
    const Shape *shape = &call->in[0].shape;
    int64_t *note = call->note, first = call->attrs.i[0], end = first + call->attrs.i[1];
    note[OUTER] = note[LENGTH] = note[INNER] = 1;
    for (int k = 0; k < shape->ndim; k++)
        note[k < first ? OUTER : k < end ? LENGTH : INNER] *= shape->dim[k];
    int64_t wide = note[INNER] == 1 ? note[LENGTH] : note[INNER];
    int64_t rows = KERNEL_CHUNK / (wide > 0 ? wide : 1), least = SEGMENT_ROWS;
    if (note[INNER] == 1) least = 1;
    note[ROWS] = rows > least ? rows : least;
}

static bool has_lines(const Call *call) { return call->note[INNER] == 1; }

static int64_t segments(const Call *call) {
    return chunks(call->note[LENGTH], call->note[ROWS]);
}

static int64_t parts(const Call *call) {
    const int64_t *note = call->note;
    return has_lines(call) ? chunks(note[OUTER], note[ROWS])
                           : note[OUTER] * segments(call);
}

static int64_t joining_parts(const Call *call) {
    return has_lines(call) ? 1 : call->note[OUTER];
}

static int64_t applying_parts(const Call *call) {
    return has_lines(call) ? 1 : parts(call);
}

static Segment segment_of(const Call *call, int64_t part) {
    const int64_t *note = call->note;
    int64_t of_one = segments(call), first = part % of_one * note[ROWS];
    Segment s = {.outer = part / of_one,
                 .rows = shorter(note[ROWS], note[LENGTH] - first)};
    s.first = s.outer * note[LENGTH] + first;
    return s;
}

/* In scratch: for each segment, then for each outer index, two rows of INNER numbers. */
static double *numbers(const Call *call, int64_t row) {
    return (double *)call->scratch + 2 * row * call->note[INNER];
}
static double *joined(const Call *call, int64_t outer) {
    return numbers(call, call->note[OUTER] * segments(call) + outer);
}

static size_t scratch(const Call *call) {
    const int64_t *note = call->note;
    if (has_lines(call)) return 0;
    return (size_t)(2 * note[OUTER] * (segments(call) + 1) * note[INNER]) *
           sizeof(double);
}

static void each_line(const Call *call, int64_t part,
                      void (*run)(const Call *, int64_t line)) {
    int64_t first = part * call->note[ROWS];
    int64_t last = shorter(first + call->note[ROWS], call->note[OUTER]);
    for (int64_t line = first; line < last; line++) run(call, line);
}

/* ---- forward ---- */

static void measure(const Call *call, int64_t part) {
    if (has_lines(call)) {
        each_line(call, part, is_float(call) ? line_float : line_double);
        return;
    }
    Segment s = segment_of(call, part);
    double *mean = numbers(call, part);
    RUN(segment, call, &s, mean, mean + call->note[INNER]);
}

static void join(const Call *call, int64_t outer) {
    if (has_lines(call)) return;
    const int64_t inner = call->note[INNER], of_one = segments(call);
    double *mean = joined(call, outer), *variance = mean + inner, n = 0;
    for (int64_t c = 0; c < inner; c++) mean[c] = variance[c] = 0;
    for (int64_t k = 0; k < of_one; k++) {
        Segment s = segment_of(call, outer * of_one + k);
        const double *its = numbers(call, outer * of_one + k), *squares = its + inner;
        double rows = (double)s.rows, all = n + rows;
        for (int64_t c = 0; c < inner && rows > 0; c++) {
            double apart = its[c] - mean[c];
            mean[c] += apart * (rows / all);
            variance[c] += squares[c] + apart * apart * (n * rows / all);
        }
        n = all;
    }
    for (int64_t c = 0; c < inner; c++) {
        variance[c] /= n;
        if (n == 0) mean[c] = NAN;
    }
    RUN(keep, call, outer, mean, variance);
}

static void apply(const Call *call, int64_t part) {
    if (has_lines(call)) return;
    Segment s = segment_of(call, part);
    RUN(apply, call, &s);
}

/* ---- backward: y, variance, dy ---- */

static void measure_back(const Call *call, int64_t part) {
    if (has_lines(call)) {
        each_line(call, part, is_float(call) ? line_back_float : line_back_double);
        return;
    }
    Segment s = segment_of(call, part);
    double *sums = numbers(call, part);
    RUN(segment_back, call, &s, sums, sums + call->note[INNER]);
}

static void join_back(const Call *call, int64_t outer) {
    if (has_lines(call)) return;
    const int64_t width = 2 * call->note[INNER], of_one = segments(call);
    double *sums = joined(call, outer);
    for (int64_t c = 0; c < width; c++) sums[c] = 0;
    for (int64_t k = 0; k < of_one; k++) {
        const double *its = numbers(call, outer * of_one + k);
        for (int64_t c = 0; c < width; c++) sums[c] += its[c];
    }
}

static void apply_back(const Call *call, int64_t part) {
    if (has_lines(call)) return;
    Segment s = segment_of(call, part);
    const double *sums = joined(call, s.outer);
    RUN(apply_back, call, &s, sums, sums + call->note[INNER]);
}

static double cost(const Call *call) { return 0.4 * (double)call->in[0].size; }

extern KERNEL(standardise);
extern KERNEL(standardise_grad);
KERNEL(standardise) = {
    .prepare = prepare,
    .scratch = scratch,
    .cost = cost,
    .phase = {{parts, measure}, {joining_parts, join}, {applying_parts, apply}}};
KERNEL(standardise_grad) = {.prepare = prepare,
                            .scratch = scratch,
                            .cost = cost,
                            .phase = {{parts, measure_back},
                                      {joining_parts, join_back},
                                      {applying_parts, apply_back}}};
