/* sort along attrs.i[0]: values and the indices that sort. Stable; nan comes last, descending
 * (i[1]) too. Short runs by insertion, then merges from one buffer to another and back. */
#include <string.h>
#include "kernels/isa/lines.h"

enum { SORT_RUN = 12, SORT_WORK = 4096, SORT_PARTS = 64, SORT_PAIR = 16 };

static int64_t line_count(const Call *call) {
    return call->note[LINES_OUTER] * call->note[LINES_INNER];
}

/* LINES_GROUP is here the number of lines in a part. There are at most SORT_PARTS parts, each
 * with buffers of its own. */
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
    return (size_t)(sort_parts(call) * 2 * call->note[LINES_LENGTH]) * SORT_PAIR;
}

/* Whether b must stand before a, which it follows. */
#define BEFORE(b, a) (descending ? (b).value > (a).value : (b).value < (a).value)

#define SORT_TYPE(type)                                                                    \
    typedef struct Pair_##type {                                                           \
        type value;                                                                        \
        int64_t index;                                                                     \
    } Pair_##type;                                                                         \
    _Static_assert(sizeof(Pair_##type) <= SORT_PAIR, "a pair fits its place");             \
                                                                                           \
    static void insert_##type(Pair_##type *pair, int64_t n, bool descending) {             \
        for (int64_t i = 1; i < n; i++) {                                                  \
            Pair_##type moved = pair[i];                                                   \
            int64_t to = i;                                                                \
            for (; to > 0 && BEFORE(moved, pair[to - 1]); to--) pair[to] = pair[to - 1];   \
            pair[to] = moved;                                                              \
        }                                                                                  \
    }                                                                                      \
                                                                                           \
    /* Runs of `length` in from, two by two, to runs twice as long in to. */               \
    static void merge_##type(const Pair_##type *restrict from, Pair_##type *restrict to,   \
                             int64_t n, int64_t length, bool descending) {                 \
        for (int64_t begin = 0; begin < n; begin += 2 * length) {                          \
            int64_t middle = begin + length < n ? begin + length : n;                      \
            int64_t end = middle + length < n ? middle + length : n;                       \
            int64_t a = begin, b = middle, at = begin;                                     \
            while (a < middle && b < end) {                                                \
                bool second = BEFORE(from[b], from[a]);                                    \
                to[at++] = from[second ? b : a];                                           \
                b += second;                                                               \
                a += !second;                                                              \
            }                                                                              \
            while (a < middle) to[at++] = from[a++];                                       \
            while (b < end) to[at++] = from[b++];                                          \
        }                                                                                  \
    }                                                                                      \
                                                                                           \
    /* One line: n elements `stride` apart. buffer has room for 2 n pairs. */              \
    static void sort_##type(const type *x, type *y, int64_t *indices, int64_t n,           \
                            int64_t stride, bool descending, void *buffer) {               \
        Pair_##type *pair = buffer, *other = pair + n;                                     \
        int64_t numbers = 0, last = n;                                                     \
        for (int64_t i = 0; i < n; i++)                                                    \
            if (x[i * stride] == x[i * stride])                                            \
                pair[numbers++] = (Pair_##type){x[i * stride], i};                         \
        for (int64_t i = n - 1; i >= 0 && last > numbers; i--) {                           \
            if (x[i * stride] == x[i * stride]) continue;                                  \
            y[--last * stride] = x[i * stride];                                            \
            indices[last * stride] = i;                                                    \
        }                                                                                  \
        for (int64_t i = 0; i < numbers; i += SORT_RUN)                                    \
            insert_##type(pair + i, numbers - i < SORT_RUN ? numbers - i : SORT_RUN,       \
                          descending);                                                     \
        for (int64_t length = SORT_RUN; length < numbers; length *= 2) {                   \
            merge_##type(pair, other, numbers, length, descending);                        \
            Pair_##type *swap = pair;                                                      \
            pair = other;                                                                  \
            other = swap;                                                                  \
        }                                                                                  \
        for (int64_t i = 0; i < numbers; i++) {                                            \
            y[i * stride] = pair[i].value;                                                 \
            indices[i * stride] = pair[i].index;                                           \
        }                                                                                  \
    }                                                                                      \
                                                                                           \
    static void run_##type(const Call *call, int64_t part) {                               \
        int64_t n = call->note[LINES_LENGTH], inner = call->note[LINES_INNER];             \
        int64_t first = part * call->note[LINES_GROUP], lines = line_count(call);          \
        int64_t last = first + call->note[LINES_GROUP];                                    \
        void *buffer = (char *)call->scratch + part * 2 * n * SORT_PAIR;                   \
        for (int64_t line = first; line < last && line < lines; line++) {                  \
            int64_t at = line / inner * n * inner + line % inner;                          \
            sort_##type((const type *)call->in[0].data + at,                               \
                        (type *)call->out[0].data + at, (int64_t *)call->out[1].data + at, \
                        n, inner, call->attrs.i[1], buffer);                               \
        }                                                                                  \
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
    double levels = 4;
    for (int64_t n = call->note[LINES_LENGTH]; n > SORT_RUN; n /= 2) levels += 1;
    return 3 * levels * (double)call->in[0].size;
}

KERNEL(sort) = {.prepare = sort_prepare,
                .scratch = sort_scratch,
                .cost = sort_cost,
                .phase = {{sort_parts, sort_run}}};
