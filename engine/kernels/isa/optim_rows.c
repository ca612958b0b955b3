/* The optimizer's pass over a table whose gradient is 0 but for some rows: g holds slices
 * that are added up at rows, as scatter would, and the last input, what index_order gave,
 * says at which. The sums exist for one block at a time, in the cache, and the formulas
 * are those of the dense pass, so the bits are, too.
 *
 * Where a gradient of 0 changes nothing (SGD, Adagrad) the other rows are not touched. */
#include <float.h>
#include <string.h>
#include "kernels/isa/optim.h"

/* Elements of a block, and those that a part is about: to find where it begins takes a
 * while. */
enum { BLOCK = 2048, PART = 16384 };
enum { SIZE, COUNT, INNER, PARTS };

/* What happens where the gradient is 0, in place, for a rate and an epsilon that are
 * numbers: still: nothing; else rest, if that is less than the step. */
typedef struct Rule {
    const Update *update;
    int epsilon; /* its place among the inputs; 0: there is none */
    bool still;
    void (*rest)(const Call *call, const Span *span);
} Rule;

/* The table p (SIZE, INNER) and COUNT slices of its gradient. */
static void rows_split(Call *call) {
    int64_t *note = call->note, size = call->in[0].shape.dim[0];
    note[SIZE] = size;
    note[COUNT] = call->in[call->n_in - 1].shape.dim[1];
    note[INNER] = size ? call->in[0].size / size : 0;
}

static void rows_prepare(Call *call) {
    rows_split(call);
    int64_t *note = call->note;
    note[PARTS] = chunks((note[SIZE] + note[COUNT]) * note[INNER], PART);
}

static void still_prepare(Call *call) {
    rows_split(call);
    call->note[PARTS] = chunks(call->note[COUNT] * call->note[INNER], PART);
}

static int64_t rows_parts(const Call *call) { return call->note[PARTS]; }

static double rows_cost(const Call *call) {
    return 0.5 * (double)((call->note[SIZE] + call->note[COUNT]) * call->note[INNER]);
}

/* The slices, and the rows of p and the state that they belong to, read and written. */
static double still_bytes(const Call *call) {
    double row = (double)call->note[INNER] * sizeof(float);
    return (double)call->note[COUNT] * row * (1 + 2 * call->n_out);
}

static double rows_bytes(const Call *call) {
    double row = (double)call->note[INNER] * sizeof(float),
           all = (double)call->note[SIZE];
    return row * ((double)call->note[COUNT] + 2 * all * call->n_out);
}

static double still_cost(const Call *call) {
    return (double)(call->note[COUNT] * call->note[INNER]);
}

/* The smallest k with rows[k] + weight * k >= target. */
static int64_t find(const int64_t *rows, int64_t count, int64_t weight, int64_t target) {
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (rows[middle] + weight * middle >= target)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Where a part begins: each gets about as many slices to add, and rows to visit if all
 * are visited. Rows and slices are counted as if they stood in one line, each row behind
 * its slices; a row goes to the part in which its line begins. */
static int64_t first_row(const Call *call, int64_t part, bool all) {
    const int64_t *note = call->note, *rows = call->in[call->n_in - 1].data;
    int64_t size = note[SIZE], count = note[COUNT];
    if (part == 0) return 0;
    if (part == note[PARTS]) return size;
    int64_t target = (all ? size + count : count) * part / note[PARTS];
    int64_t slice = all ? find(rows, count, 1, target) : target;
    int64_t row = all ? target - slice : rows[slice];
    return slice > 0 && rows[slice - 1] == row ? row + 1 : row;
}

/* Adds up the slices of one row, from the k-th on, columns [low, low + n) of them. They
 * lie anywhere: those to come are fetched ahead. Returns the first of the next row. */
static int64_t sum_row(const Call *call, int64_t k, int64_t low, int64_t n,
                       float *restrict sum) {
    enum { AHEAD = 8, LINE = 64 / sizeof(float) };
    int64_t inner = call->note[INNER], count = call->note[COUNT];
    const int64_t *rows = call->in[call->n_in - 1].data, *position = rows + count;
    const float *values = (const float *)call->in[call->n_out].data + low;
    int64_t row = rows[k];
    do {
        const float *restrict from = values + position[k] * inner;
        if (k + AHEAD < count)
            for (int64_t c = 0; c < n; c += LINE)
                __builtin_prefetch(values + position[k + AHEAD] * inner + c);
        SIMD_LOOP(c, n) sum[c] += from[c];
    } while (++k < count && rows[k] == row);
    return k;
}

/* The gradient of elements [at, stop), from the slice k on. */
static void sum_slices(const Call *call, int64_t k, int64_t at, int64_t stop,
                       float *sum) {
    int64_t inner = call->note[INNER], count = call->note[COUNT];
    const int64_t *rows = call->in[call->n_in - 1].data;
    memset(sum, 0, (size_t)(stop - at) * sizeof *sum);
    while (k < count && rows[k] * inner < stop) {
        int64_t start = rows[k] * inner;
        int64_t low = start > at ? start : at;
        int64_t high = start + inner < stop ? start + inner : stop;
        k = sum_row(call, k, low - start, high - low, sum + (low - at));
    }
}

/* The table and what is kept for it; not unused state, which is one number. */
static bool is_in_place(const Call *call) {
    for (int k = 0; k < call->n_out; k++)
        if (call->in[k].size == call->in[0].size && call->out[k].data != call->in[k].data)
            return false;
    return true;
}

static bool is_calm(const Call *call, const Rule *rule, float rate) {
    return rate >= 0 && rate <= FLT_MAX &&
           (!rule->epsilon || scalar(call, rule->epsilon) >= FLT_MIN) &&
           is_in_place(call);
}

static void rows_run(const Call *call, int64_t part, const Rule *rule) {
    static const float zeros[BLOCK];
    const Update *update = rule->update;
    const int64_t *rows = call->in[call->n_in - 1].data;
    int64_t inner = call->note[INNER], count = call->note[COUNT], size = call->note[SIZE];
    float sum[BLOCK], rate = update->rate(call, update->gradient);
    bool calm = is_calm(call, rule, rate);
    bool still = rule->still && calm && 2 * count < size;
    bool less = rule->rest && calm && 8 * count < size;
    bool apart = still || less; /* rows without a gradient, from others */
    int64_t first = first_row(call, part, !still);
    int64_t at = first * inner, end = first_row(call, part + 1, !still) * inner;
    int64_t k = find(rows, count, 0, first);
    do {
        int64_t next = k < count && rows[k] * inner < end ? rows[k] * inner : end;
        if (still && next > at) at = next;
        int64_t border = !apart ? end : next > at ? next : next + inner;
        int64_t stop = at + BLOCK < border ? at + BLOCK : border;
        if (stop > end) stop = end;
        Span span = {at, 1, stop - at, 0, next < stop ? sum : zeros, rate};
        if (next < stop) sum_slices(call, k, at, stop, sum);
        (next >= stop && less ? rule->rest : update->step)(call, &span);
        while (k < count && (rows[k] + 1) * inner <= stop) k++;
        at = stop;
    } while (at < end);
}

/* v fades; p - lr * 0 / sqrt(v + epsilon) is p. */
static void rmsprop_rest(const Call *call, const Span *span) {
    if (call->attrs.i[0] || call->attrs.i[1]) {
        rmsprop_step(call, span);
        return;
    }
    const float *v = start_of(&call->in[1], span, 0), rho = scalar(call, 6);
    float *v_out = start_of(&call->out[1], span, 0);
    SIMD_LOOP(i, span->columns) v_out[i] = rho * v[i] + 0.0f;
    if (span->at > 0) return;
    *(float *)call->out[2].data = scalar(call, 2);
    *(float *)call->out[3].data = scalar(call, 3);
}

#define ROWS_KERNEL(name, kind, ...)                                                     \
    static void name##_run(const Call *call, int64_t part) {                             \
        static const Rule rule = {&name##_update, __VA_ARGS__};                          \
        rows_run(call, part, &rule);                                                     \
    }                                                                                    \
    KERNEL(name##_rows) = {.flags = KERNEL_IN_PLACE,                                     \
                           .prepare = kind##_prepare,                                    \
                           .cost = kind##_cost,                                          \
                           .bytes = kind##_bytes,                                        \
                           .phase = {{rows_parts, name##_run}}};
ROWS_KERNEL(sgd, still, .still = true)
ROWS_KERNEL(momentum, rows, .rest = NULL)
ROWS_KERNEL(adagrad, still, .still = true, .epsilon = 4)
ROWS_KERNEL(rmsprop, rows, .rest = rmsprop_rest, .epsilon = 8)
ROWS_KERNEL(adam, rows, .rest = NULL)
