/* Tensors of random numbers. Which words an element takes (see random.h):
 *
 *   uniform    float32: one word, of which 24 bits; float64: two words, 53 bits
 *   normal     float32: elements 4k + {0, 1} are the cosine and the sine of Box and
 *              Muller's method from words 0 and 1 of counter k, elements 4k + {2, 3} from
 *              words 2 and 3. float64: elements 2k + {0, 1} from the four words of k.
 *              Truncated: the inverse of the distribution function at one word (float32)
 *              or two (float64) for each element
 *   bernoulli  one word, 1 when it is below p * 2^32
 *   int        two words: floor(bits * (high - low) / 2^64), added to low
 *
 * All have the same bits on every ISA; the float64 normals come from the C library's
 * functions. Integer dtypes of uniform and normal are cast from float64, within range. */
#include <math.h>
#include "kernels/isa/loops.h"
#include "kernels/isa/random.h"
#include "kernels/isa/vmath.h"

static const double ERF_SQRT2 = 0.95449973610364158560; /* P(|z| < 2) */

/* A block of up to RANDOM_BLOCK elements: the words of a float32 element stream, and
 * of one in which each element takes two words. Parts begin at multiples of
 * RANDOM_BLOCK. */
typedef void FloatBlock(const Call *call, const uint32_t word[RANDOM_BLOCK],
                        float y[RANDOM_BLOCK]);
typedef double NumberOf(const Call *call, const uint32_t word[4], int half);

static void run_floats(const Call *call, int64_t part, FloatBlock *compute) {
    RandomKey key = random_key(call, 0);
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    for (int64_t at = begin; at < end; at += RANDOM_BLOCK) {
        uint32_t word[RANDOM_BLOCK];
        float block[RANDOM_BLOCK], *y = (float *)call->out[0].data + at;
        random_words(key, (uint64_t)at / 4, word);
        if (end - at >= RANDOM_BLOCK) {
            compute(call, word, y);
            continue;
        }
        compute(call, word, block);
        memcpy(y, block, (size_t)(end - at) * sizeof *y);
    }
}

static void store(const Call *call, int64_t at, double value) {
    static const double least[DTYPE_COUNT] = {0, 0, INT32_MIN, -0x1p63, 0, 0};
    static const double most[DTYPE_COUNT] = {1, UINT8_MAX, INT32_MAX,
                                             0x1.fffffffffffffp62};
    DType dtype = call->out[0].dtype;
    if (!dtype_is_float(dtype)) {
        value = trunc(value);
        value = value < least[dtype]  ? least[dtype]
                : value > most[dtype] ? most[dtype]
                                      : value;
    }
    dtype_store(dtype, (char *)call->out[0].data + at * loop_bytes[dtype], value);
}

static void run_numbers(const Call *call, int64_t part, NumberOf *number_of) {
    RandomKey key = random_key(call, 0);
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    for (int64_t at = begin; at < end; at++) {
        Philox random = philox(key.key, key.step, (uint64_t)at / 2);
        store(call, at, number_of(call, random.word, (int)(at & 1)));
    }
}

/* ---- uniform ---- */

/* Rounding may give the upper limit itself, which is not in the interval. */
static void uniform_block(const Call *call, const uint32_t word[RANDOM_BLOCK],
                          float y[RANDOM_BLOCK]) {
    float low = (float)call->attrs.f[0], high = (float)call->attrs.f[1],
          width = high - low;
#pragma omp simd
    for (int i = 0; i < RANDOM_BLOCK; i++) {
        float value = low + width * ((float)(int32_t)(word[i] >> 8) * 0x1p-24f);
        y[i] = value < high ? value : low;
    }
}

static double uniform_number(const Call *call, const uint32_t word[4], int half) {
    double low = call->attrs.f[0], high = call->attrs.f[1];
    double value = low + (high - low) * philox_unit2(word[2 * half], word[2 * half + 1]);
    return value < high ? value : low;
}

static void uniform_run(const Call *call, int64_t part) {
    if (call->out[0].dtype == DTYPE_FLOAT32)
        run_floats(call, part, uniform_block);
    else
        run_numbers(call, part, uniform_number);
}

/* ---- normal ---- */

/* Box and Muller: the angle is 2 pi u, taken apart into quarters and a rest exactly. */
static void normal_block(const Call *call, const uint32_t word[RANDOM_BLOCK],
                         float y[RANDOM_BLOCK]) {
    float mean = (float)call->attrs.f[0], deviation = (float)call->attrs.f[1];
    float cosine[RANDOM_BLOCK / 2], sine[RANDOM_BLOCK / 2];
#pragma omp simd
    for (int k = 0; k < RANDOM_BLOCK / 2; k++) {
        float u = 1.0f - (float)(int32_t)(word[2 * k] >> 8) * 0x1p-24f; /* in (0, 1] */
        float radius = deviation * sqrtf(-2.0f * vmath_log(u));
        int32_t turn = (int32_t)(word[2 * k + 1] >> 30);
        int32_t rest = (int32_t)(word[2 * k + 1] << 2 >> 8) - (1 << 23);
        float angle = (float)rest * (1.57079633f * 0x1p-24f); /* in [-pi/4, pi/4) */
        float s = vmath_sin_small(angle), c = vmath_cos_small(angle);
        float a = turn & 1 ? -s : c, b = turn & 1 ? c : s;
        cosine[k] = radius * (turn & 2 ? -a : a);
        sine[k] = radius * (turn & 2 ? -b : b);
    }
    for (int k = 0; k < RANDOM_BLOCK / 2; k++) {
        y[2 * k] = mean + cosine[k];
        y[2 * k + 1] = mean + sine[k];
    }
}

static double normal_number(const Call *call, const uint32_t word[4], int half) {
    double u = 1 - philox_unit2(word[0], word[1]), angle = philox_unit2(word[2], word[3]);
    double turn =
        half ? sin(6.28318530717958647693 * angle) : cos(6.28318530717958647693 * angle);
    return call->attrs.f[0] + call->attrs.f[1] * sqrt(-2 * log(u)) * turn;
}

static void truncated_block(const Call *call, const uint32_t word[RANDOM_BLOCK],
                            float y[RANDOM_BLOCK]) {
    float mean = (float)call->attrs.f[0], deviation = (float)call->attrs.f[1];
#pragma omp simd
    for (int i = 0; i < RANDOM_BLOCK; i++) {
        /* The middle of one of 2^24 equal pieces of (-1, 1). */
        float u = ((float)(int32_t)(word[i] >> 8) + 0.5f) * 0x1p-23f - 1.0f;
        float z = 1.41421356f * vmath_erfinv_middle(u * 0.954499736f);
        y[i] = mean + deviation * vmath_min(vmath_max(z, -2.0f), 2.0f);
    }
}

/* The inverse by Newton's method from the float32 approximation: two steps square its
 * error twice, to the last bits of a double. */
static double truncated_number(const Call *call, const uint32_t word[4], int half) {
    double u = 2 * (philox_unit2(word[2 * half], word[2 * half + 1]) + 0x1p-54) - 1;
    double p = u * ERF_SQRT2, x = vmath_erfinv_middle((float)p);
    for (int step = 0; step < 2; step++)
        x -= (erf(x) - p) / (1.12837916709551257390 * exp(-x * x));
    double z = 1.41421356237309504880 * x;
    return call->attrs.f[0] + call->attrs.f[1] * fmin(fmax(z, -2), 2);
}

static void normal_run(const Call *call, int64_t part) {
    bool truncated = call->attrs.f[2] == 1;
    if (call->out[0].dtype == DTYPE_FLOAT32)
        run_floats(call, part, truncated ? truncated_block : normal_block);
    else
        run_numbers(call, part, truncated ? truncated_number : normal_number);
}

/* ---- integers ---- */

static void int_run(const Call *call, int64_t part) {
    RandomKey key = random_key(call, 0);
    int64_t begin, end, low = call->attrs.i[11];
    uint64_t range = (uint64_t)call->attrs.i[12] - (uint64_t)low;
    loop_range(call, part, &begin, &end);
    for (int64_t at = begin; at < end; at++) {
        Philox random = philox(key.key, key.step, (uint64_t)at / 2);
        const uint32_t *word = random.word + 2 * (at & 1);
        int64_t value = (int64_t)((uint64_t)low + philox_below(word[0], word[1], range));
        if (call->out[0].dtype == DTYPE_INT64)
            ((int64_t *)call->out[0].data)[at] = value;
        else
            store(call, at, (double)value);
    }
}

static void bernoulli_run(const Call *call, int64_t part) {
    RandomKey key = random_key(call, 0);
    uint64_t threshold = random_threshold(call->attrs.f[0]);
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    for (int64_t at = begin; at < end; at += RANDOM_BLOCK) {
        uint32_t word[RANDOM_BLOCK];
        int64_t n = end - at < RANDOM_BLOCK ? end - at : RANDOM_BLOCK;
        random_words(key, (uint64_t)at / 4, word);
        if (call->out[0].dtype == DTYPE_FLOAT32) {
            float *y = (float *)call->out[0].data + at;
            for (int64_t i = 0; i < n; i++) y[i] = word[i] < threshold ? 1.0f : 0.0f;
        } else {
            for (int64_t i = 0; i < n; i++) store(call, at + i, word[i] < threshold);
        }
    }
}

/* Fisher and Yates: the i-th step swaps element i with one of 0 .. i, drawn from the
 * first two words of counter i. Serial. */
static void permutation_run(const Call *call, int64_t part) {
    RandomKey key = random_key(call, 0);
    int64_t n = call->out[0].size, *y = call->out[0].data;
    for (int64_t i = 0; i < n; i++) y[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        Philox random = philox(key.key, key.step, (uint64_t)i);
        uint64_t other = philox_below(random.word[0], random.word[1], (uint64_t)i + 1);
        int64_t moved = y[i];
        y[i] = y[other];
        y[other] = moved;
    }
}

/* Nanoseconds for each element of float32, and of other dtypes. */
static double cost(const Call *call, double floats, double others) {
    double one = call->out[0].dtype == DTYPE_FLOAT32 ? floats : others;
    return 50 + one * (double)call->out[0].size;
}

static double uniform_cost(const Call *call) { return cost(call, 0.6, 20); }
static double normal_cost(const Call *call) { return cost(call, 1.2, 80); }
static double permutation_cost(const Call *call) { return cost(call, 8, 8); }

KERNEL(random_uniform) = {.cost = uniform_cost, .phase = {{loop_parts, uniform_run}}};
KERNEL(random_normal) = {.cost = normal_cost, .phase = {{loop_parts, normal_run}}};
KERNEL(random_int) = {.cost = uniform_cost, .phase = {{loop_parts, int_run}}};
KERNEL(random_bernoulli) = {.cost = uniform_cost, .phase = {{loop_parts, bernoulli_run}}};
KERNEL(random_permutation) = {.cost = permutation_cost,
                              .phase = {{NULL, permutation_run}}};
