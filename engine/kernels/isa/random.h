/* Random words for kernels: element e of a tensor is a function of (seed, stream,
 * step, e).
 *
 *   counter k  ->  philox(philox_key(seed, stream), step, k).word[0..3]
 *
 * Most kernels give element e the word e % 4 of counter e / 4; those that need two
 * words give it the words 2 (e % 2) and 2 (e % 2) + 1 of counter e / 2. Words come in
 * blocks, computed side by side. */
#ifndef CDL_KERNELS_ISA_RANDOM_H
#define CDL_KERNELS_ISA_RANDOM_H
#include <string.h>
#include "base/philox.h"
#include "kernels/call.h"

enum { RANDOM_COUNTERS = 16, RANDOM_BLOCK = 4 * RANDOM_COUNTERS };
_Static_assert((int)KERNEL_CHUNK % (int)RANDOM_BLOCK == 0, "parts begin with a block");

typedef struct RandomKey {
    uint64_t key, step;
} RandomKey;

/* From an operand int64 {seed, step} and attrs.i[0], the stream. */
static inline RandomKey random_key(const Call *call, int operand) {
    const int64_t *pair = call->in[operand].data;
    return (RandomKey){philox_key((uint64_t)pair[0], (uint64_t)call->attrs.i[0]),
                       (uint64_t)pair[1]};
}

/* Counters side by side, each state word in the low half of a 64-bit lane. The product
 * of two low halves is one instruction; what the high halves hold does not matter. */
#if defined(__AVX512F__)
#include <immintrin.h>
enum { RANDOM_WIDTH = 8 };
typedef uint64_t RandomLanes __attribute__((vector_size(64)));
static inline RandomLanes random_product(RandomLanes a, RandomLanes b) {
    return (RandomLanes)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}
#elif defined(__AVX2__)
#include <immintrin.h>
enum { RANDOM_WIDTH = 4 };
typedef uint64_t RandomLanes __attribute__((vector_size(32)));
static inline RandomLanes random_product(RandomLanes a, RandomLanes b) {
    return (RandomLanes)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
#elif defined(__SSE2__)
#include <emmintrin.h>
enum { RANDOM_WIDTH = 2 };
typedef uint64_t RandomLanes __attribute__((vector_size(16)));
static inline RandomLanes random_product(RandomLanes a, RandomLanes b) {
    return (RandomLanes)_mm_mul_epu32((__m128i)a, (__m128i)b);
}
#else
enum { RANDOM_WIDTH = 2 };
typedef uint64_t RandomLanes __attribute__((vector_size(16)));
static inline RandomLanes random_product(RandomLanes a, RandomLanes b) {
    return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
}
#endif

/* The words of counters first, first + 1, ...: Philox4x32-10 as in base/philox.h. */
static inline void random_words(RandomKey key, uint64_t first,
                                uint32_t word[RANDOM_BLOCK]) {
    const RandomLanes zero = {0};
    for (int k = 0; k < RANDOM_COUNTERS; k += RANDOM_WIDTH) {
        RandomLanes counter;
        for (int l = 0; l < RANDOM_WIDTH; l++) counter[l] = first + (uint64_t)(k + l);
        RandomLanes c0 = counter, c1 = counter >> 32;
        RandomLanes c2 = zero + key.step, c3 = zero + (key.step >> 32);
        uint32_t k0 = (uint32_t)key.key, k1 = (uint32_t)(key.key >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            RandomLanes p0 = random_product(c0, zero + 0xD2511F53u);
            RandomLanes p1 = random_product(c2, zero + 0xCD9E8D57u);
            c0 = (p1 >> 32) ^ c1 ^ (zero + k0);
            c2 = (p0 >> 32) ^ c3 ^ (zero + k1);
            c1 = p1;
            c3 = p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        /* Words 0 and 1 as the halves of one lane, words 2 and 3 as those of the next. */
        RandomLanes low = (c0 & 0xFFFFFFFFu) | c1 << 32,
                    high = (c2 & 0xFFFFFFFFu) | c3 << 32;
        for (int l = 0; l < RANDOM_WIDTH; l++) {
            uint64_t pair[2] = {low[l], high[l]};
            memcpy(word + 4 * (k + l), pair, sizeof pair);
        }
    }
}

/* A word is below this with probability p: p * 2^32, rounded. */
static inline uint64_t random_threshold(double p) {
    return p <= 0 ? 0 : p >= 1 ? (uint64_t)1 << 32 : (uint64_t)(p * 0x1p32 + 0.5);
}

#endif
