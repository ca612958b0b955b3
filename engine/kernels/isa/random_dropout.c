/* dropout: element e of the mask is kept when word e % 4 of counter e / 4 is not below
 * rate * 2^32 (see random.h). The mask is drawn, not stored: the gradient is this
 * kernel again, on dy with the same key. */
#include "kernels/isa/loops.h"
#include "kernels/isa/random.h"

/* Notes: 1 when mask and x have one shape; the mask's strides. */
enum { SAME_SHAPE, MASK_STRIDE };

static void dropout_prepare(Call *call) {
    const Shape *x = &call->in[0].shape;
    int64_t extra = x->ndim - call->attrs.i[2], step = 1, *note = call->note;
    note[SAME_SHAPE] = 1;
    for (int k = x->ndim - 1; k >= 0; k--) {
        int64_t size = k < extra ? 1 : call->attrs.i[3 + k - extra];
        note[MASK_STRIDE + k] = size == 1 ? 0 : step;
        if (size != x->dim[k]) note[SAME_SHAPE] = 0;
        step *= size;
    }
}

/* y[0..n) from the words of the mask. What is dropped becomes 0, were it inf or nan. */
#define KEEP_LOOP(type)                                                                  \
    static inline void keep_##type(type *y, const type *x, const uint32_t *word,         \
                                   int64_t n, uint32_t last_dropped, type scale) {       \
        SIMD_LOOP(i, n) {                                                                \
            type kept = x[i] * scale;                                                    \
            y[i] = word[i] > last_dropped ? kept : 0;                                    \
        }                                                                                \
    }
KEEP_LOOP(float)
KEEP_LOOP(double)

/* The word for element e of the mask; blocks of words are kept between calls. */
typedef struct MaskWords {
    RandomKey key;
    uint64_t block; /* number of the block in word, or UINT64_MAX */
    uint32_t word[RANDOM_BLOCK];
} MaskWords;

static inline uint32_t mask_word(MaskWords *mask, uint64_t element) {
    if (element / RANDOM_BLOCK != mask->block) {
        mask->block = element / RANDOM_BLOCK;
        random_words(mask->key, mask->block * RANDOM_COUNTERS, mask->word);
    }
    return mask->word[element % RANDOM_BLOCK];
}

/* The words of the mask's elements that broadcast to elements [at, at + n) of x. */
static void broadcast_words(const Call *call, MaskWords *mask, int64_t at, int64_t n,
                            uint32_t *word) {
    const Shape *x = &call->in[0].shape;
    for (int64_t i = 0; i < n; i++) {
        int64_t left = at + i, element = 0;
        for (int k = x->ndim - 1; k >= 0; k--) {
            element += left % x->dim[k] * call->note[MASK_STRIDE + k];
            left /= x->dim[k];
        }
        word[i] = mask_word(mask, (uint64_t)element);
    }
}

static void dropout_run(const Call *call, int64_t part) {
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    uint64_t threshold = random_threshold(call->attrs.f[0]);
    double scale = threshold >> 32 ? 0 : 1 / (1 - call->attrs.f[0]);
    MaskWords mask = {.key = random_key(call, 1), .block = UINT64_MAX};
    for (int64_t at = begin; at < end; at += RANDOM_BLOCK) {
        int64_t n = end - at < RANDOM_BLOCK ? end - at : RANDOM_BLOCK;
        uint32_t word[RANDOM_BLOCK];
        if (threshold == 0 || threshold >> 32)
            memset(word, threshold ? 0 : 0xFF, sizeof word);
        else if (call->note[SAME_SHAPE])
            random_words(mask.key, (uint64_t)at / 4, word);
        else
            broadcast_words(call, &mask, at, n, word);
        uint32_t last_dropped = threshold ? (uint32_t)(threshold - 1) : 0;
        if (call->out[0].dtype == DTYPE_FLOAT32)
            keep_float((float *)call->out[0].data + at,
                       (const float *)call->in[0].data + at, word, n, last_dropped,
                       (float)scale);
        else
            keep_double((double *)call->out[0].data + at,
                        (const double *)call->in[0].data + at, word, n, last_dropped,
                        scale);
    }
}

static double dropout_cost(const Call *call) {
    return (double)call->in[0].size * (call->note[SAME_SHAPE] ? 0.6 : 15);
}

KERNEL(dropout) = {.flags = KERNEL_ELEMENTWISE,
                   .prepare = dropout_prepare,
                   .cost = dropout_cost,
                   .phase = {{loop_parts, dropout_run}}};
