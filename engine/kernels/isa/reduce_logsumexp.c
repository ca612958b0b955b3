/* log(sum(e^x)) over axes: the largest element is taken out first, so that nothing
 * overflows. Infinite extremes are not taken out (inf - inf is nan): -inf everywhere
 * gives -inf, and inf anywhere inf, by plain arithmetic; nan gives nan. */
#include <math.h>
#include "kernels/isa/reduce.h"
#include "kernels/isa/vmath.h"

enum { LANES = REDUCE_LANES };

/* Per type: the extreme of each of `side` lanes, then the sums. `rows` rows, `stride`
 * apart. max_lanes leaves out nan, which the sum finds again. */
#define LANE_LOOPS(type, exp_of)                                                         \
    static void max_lanes_##type(type *restrict most, const type *restrict x,            \
                                 int64_t rows, int64_t stride, int64_t side) {           \
        for (int64_t r = 0; r < rows; r++) {                                             \
            const type *row = x + r * stride;                                            \
            _Pragma("omp simd") for (int64_t l = 0; l < side; l++) most[l] =             \
                row[l] > most[l] ? row[l] : most[l];                                     \
        }                                                                                \
    }                                                                                    \
    static void sum_lanes_##type(double *restrict sum, const type *restrict shift,       \
                                 const type *restrict x, int64_t rows, int64_t stride,   \
                                 int64_t side) {                                         \
        for (int64_t r = 0; r < rows; r++) {                                             \
            const type *row = x + r * stride;                                            \
            _Pragma("omp simd") for (int64_t l = 0; l < side; l++) sum[l] +=             \
                (double)exp_of(row[l] - shift[l]);                                       \
        }                                                                                \
    }                                                                                    \
    static inline type shift_of_##type(type most) {                                      \
        return most > -INFINITY && most < INFINITY ? most : 0;                           \
    }

/* Side by side: columns. */
#define COLUMNS_LOOP(type)                                                               \
    static void columns_##type(const Call *call, const type *x, type *y,                 \
                               int64_t columns) {                                        \
        int64_t count = call->note[REDUCE_COUNT];                                        \
        for (int64_t c = 0; c < columns; c += LANES) {                                   \
            int64_t side = reduce_min(LANES, columns - c);                               \
            type shift[LANES];                                                           \
            double sum[LANES] = {0};                                                     \
            for (int l = 0; l < LANES; l++) shift[l] = -INFINITY;                        \
            for (int64_t at = 0; at < count;) {                                          \
                int64_t offset, stride,                                                  \
                    n = reduce_run(call, &at, count, &offset, &stride);                  \
                max_lanes_##type(shift, x + c + offset, n, stride, side);                \
            }                                                                            \
            for (int l = 0; l < LANES; l++) shift[l] = shift_of_##type(shift[l]);        \
            for (int64_t at = 0; at < count;) {                                          \
                int64_t offset, stride,                                                  \
                    n = reduce_run(call, &at, count, &offset, &stride);                  \
                sum_lanes_##type(sum, shift, x + c + offset, n, stride, side);           \
            }                                                                            \
            for (int64_t l = 0; l < side; l++)                                           \
                y[c + l] = (type)((double)shift[l] + log(sum[l]));                       \
        }                                                                                \
    }

/* One output: its elements dealt to lanes, then what is left one by one. */
#define ROW_LOOP(type)                                                                   \
    static type row_##type(const Call *call, const type *x) {                            \
        int64_t count = call->note[REDUCE_COUNT];                                        \
        type shift[LANES], most = -INFINITY;                                             \
        double sum[LANES] = {0}, total = 0;                                              \
        for (int l = 0; l < LANES; l++) shift[l] = -INFINITY;                            \
        for (int64_t at = 0; at < count;) {                                              \
            int64_t offset, stride, n = reduce_run(call, &at, count, &offset, &stride);  \
            max_lanes_##type(shift, x + offset, n / LANES, LANES, LANES);                \
            max_lanes_##type(shift, x + offset + n / LANES * LANES, 1, 0, n % LANES);    \
        }                                                                                \
        for (int l = 0; l < LANES; l++) most = shift[l] > most ? shift[l] : most;        \
        most = shift_of_##type(most);                                                    \
        for (int l = 0; l < LANES; l++) shift[l] = most;                                 \
        for (int64_t at = 0; at < count;) {                                              \
            int64_t offset, stride, n = reduce_run(call, &at, count, &offset, &stride);  \
            sum_lanes_##type(sum, shift, x + offset, n / LANES, LANES, LANES);           \
            sum_lanes_##type(sum, shift, x + offset + n / LANES * LANES, 1, 0,           \
                             n % LANES);                                                 \
        }                                                                                \
        for (int l = 0; l < LANES; l++) total += sum[l];                                 \
        return (type)((double)most + log(total));                                        \
    }

#define LOGSUMEXP_RUN(type, exp_of)                                                      \
    LANE_LOOPS(type, exp_of)                                                             \
    COLUMNS_LOOP(type)                                                                   \
    ROW_LOOP(type)                                                                       \
    static void run_##type(const Call *call, int64_t part) {                             \
        ReducePart p = reduce_part(call, part);                                          \
        for (int64_t unit = p.first; unit < p.last; unit++) {                            \
            ReduceUnit u = reduce_unit(call, unit);                                      \
            const type *x = (const type *)call->in[0].data + u.input;                    \
            type *y = (type *)call->out[0].data + u.output;                              \
            if (call->note[REDUCE_WIDTH] == 1)                                           \
                *y = row_##type(call, x);                                                \
            else                                                                         \
                columns_##type(call, x, y, u.columns);                                   \
        }                                                                                \
    }
LOGSUMEXP_RUN(float, vmath_exp)
LOGSUMEXP_RUN(double, exp)

static void logsumexp_run(const Call *call, int64_t part) {
    if (call->in[0].dtype == DTYPE_FLOAT32)
        run_float(call, part);
    else
        run_double(call, part);
}

static double logsumexp_cost(const Call *call) {
    return (double)call->in[0].size * (call->in[0].dtype == DTYPE_FLOAT32 ? 1 : 8) +
           25 * (double)call->out[0].size;
}

KERNEL(logsumexp) = {.prepare = reduce_prepare_whole,
                     .cost = logsumexp_cost,
                     .phase = {{reduce_parts, logsumexp_run}}};
