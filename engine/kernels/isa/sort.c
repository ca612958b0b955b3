/* sort along attrs.i[0]: values and the indices that sort. Stable; nan comes last,
 * descending (i[1]) too.
 *
 * Every element becomes an unsigned key in whose order it sorts, so one sort serves
 * all dtypes and both directions: short lines by insertion, others digit by digit
 * (least significant first), leaving out digits that all keys share. */
#include <string.h>
#include "kernels/isa/lines.h"

typedef struct Pair {
    uint64_t key;
    int64_t index;
} Pair;

enum { SORT_SHORT = 40, SORT_WORK = 4096, SORT_PARTS = 64, DIGITS = 8, RADIX = 256 };

static int64_t line_count(const Call *call) {
    return call->note[LINES_OUTER] * call->note[LINES_INNER];
}

/* LINES_GROUP is here the number of lines in a part. There are at most SORT_PARTS
 * parts, each with buffers of its own for two lines. */
static void sort_prepare(Call *call) {
    lines_prepare(call);
    int64_t n = call->note[LINES_LENGTH], lines = line_count(call);
    int64_t group = n > 0 && n < SORT_WORK ? SORT_WORK / n : 1;
    int64_t least = (lines + SORT_PARTS - 1) / SORT_PARTS;
    call->note[LINES_GROUP] = group > least ? group : least;
}

static int64_t sort_parts(const Call *call) {
    return chunks(line_count(call), call->note[LINES_GROUP]);
}

static size_t sort_scratch(const Call *call) {
    return (size_t)(sort_parts(call) * 2 * call->note[LINES_LENGTH]) * sizeof(Pair);
}

/* ---- keys ---- */

/* The sign bit turned over puts negative integers first. */
static inline uint64_t key_of_uint8_t(uint8_t x) { return x; }
static inline uint64_t key_of_int32_t(int32_t x) { return (uint32_t)x ^ 0x80000000u; }
static inline uint64_t key_of_int64_t(int64_t x) {
    return (uint64_t)x ^ (uint64_t)1 << 63;
}

/* Floats order like integers of sign and magnitude; -0 is 0. */
static inline uint64_t key_of_float(float x) {
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? (uint32_t)~bits : bits | 0x80000000u;
}

static inline uint64_t key_of_double(double x) {
    uint64_t bits;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* ---- one line ---- */

static void sort_short(Pair *pair, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        Pair moved = pair[i];
        int64_t to = i;
        for (; to > 0 && moved.key < pair[to - 1].key; to--) pair[to] = pair[to - 1];
        pair[to] = moved;
    }
}

/* Sorts pair, with room for as many in other; returns which of the two holds the
 * result. */
static Pair *sort_digits(Pair *pair, Pair *other, int64_t n) {
    int64_t count[DIGITS][RADIX] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++) count[d][pair[i].key >> 8 * d & 255]++;
    for (int d = 0; d < DIGITS; d++) {
        int64_t *place = count[d], sum = 0;
        if (place[pair[0].key >> 8 * d & 255] == n) continue;
        for (int k = 0; k < RADIX; k++) {
            int64_t here = place[k];
            place[k] = sum;
            sum += here;
        }
        for (int64_t i = 0; i < n; i++)
            other[place[pair[i].key >> 8 * d & 255]++] = pair[i];
        Pair *swap = pair;
        pair = other;
        other = swap;
    }
    return pair;
}

#define SORT_TYPE(type)                                                                  \
    /* n elements `stride` apart. */                                                     \
    static void sort_##type(const type *restrict x, type *restrict y,                    \
                            int64_t *restrict indices, int64_t n, int64_t stride,        \
                            bool descending, Pair *pair) {                               \
        uint64_t flip = descending ? UINT64_MAX : 0;                                     \
        for (int64_t i = 0; i < n; i++) {                                                \
            type value = x[i * stride];                                                  \
            uint64_t key = value == value ? key_of_##type(value) ^ flip : UINT64_MAX;    \
            pair[i] = (Pair){key, i};                                                    \
        }                                                                                \
        if (n <= SORT_SHORT)                                                             \
            sort_short(pair, n);                                                         \
        else                                                                             \
            pair = sort_digits(pair, pair + n, n);                                       \
        for (int64_t i = 0; i < n; i++) {                                                \
            indices[i * stride] = pair[i].index;                                         \
            y[i * stride] = x[pair[i].index * stride];                                   \
        }                                                                                \
    }                                                                                    \
                                                                                         \
    static void run_##type(const Call *call, int64_t part) {                             \
        int64_t n = call->note[LINES_LENGTH], inner = call->note[LINES_INNER];           \
        int64_t first = part * call->note[LINES_GROUP], lines = line_count(call);        \
        int64_t last = first + call->note[LINES_GROUP];                                  \
        Pair *pair = (Pair *)call->scratch + part * 2 * n;                               \
        for (int64_t line = first; line < last && line < lines; line++) {                \
            int64_t at = line / inner * n * inner + line % inner;                        \
            sort_##type(                                                                 \
                (const type *)call->in[0].data + at, (type *)call->out[0].data + at,     \
                (int64_t *)call->out[1].data + at, n, inner, call->attrs.i[1], pair);    \
        }                                                                                \
    }
SORT_TYPE(uint8_t)
SORT_TYPE(int32_t)
SORT_TYPE(int64_t)
SORT_TYPE(float)
SORT_TYPE(double)

static void sort_run(const Call *call, int64_t part) {
    static void (*const runs[DTYPE_COUNT])(const Call *, int64_t) = {
        run_uint8_t, run_uint8_t, run_int32_t, run_int64_t, run_float, run_double};
    if (call->in[0].size) runs[call->in[0].dtype](call, part);
}

static double sort_cost(const Call *call) {
    double lines = (double)(line_count(call) * (call->note[LINES_LENGTH] > SORT_SHORT));
    return 15 * (double)call->in[0].size + 1000 * lines;
}

KERNEL(sort) = {.prepare = sort_prepare,
                .scratch = sort_scratch,
                .cost = sort_cost,
                .phase = {{sort_parts, sort_run}}};
