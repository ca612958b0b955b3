/* Transcendental functions of floats in plain C: no branches, no tables, no library
 * calls, so that a loop over them vectorises for any instruction set and gives the
 * same bits on each (kernel files are compiled without contraction). Infinities and
 * nan are handled; the errors named below are in units in the last place.
 *
 * The polynomials are minimax fits made for this file. The ways of reducing the
 * argument are the usual ones, e.g. Cody and Waite, "Software Manual for the
 * Elementary Functions" (1980). */
#ifndef CDL_KERNELS_ISA_VMATH_H
#define CDL_KERNELS_ISA_VMATH_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#define VMATH static inline __attribute__((always_inline))

VMATH float vmath_from_bits(int32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

VMATH int32_t vmath_bits(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* 2^e for -127 < e < 128; for others (from nan) any number. */
VMATH float vmath_power(int32_t e) {
    return vmath_from_bits((int32_t)((uint32_t)(e + 127) << 23));
}

/* The larger of a and b; nan if a is. With constants for b this limits an argument. */
VMATH float vmath_max(float a, float b) { return a < b ? b : a; }
VMATH float vmath_min(float a, float b) { return a > b ? b : a; }

/* e^r - 1 for |r| <= ln(2) / 2, with full relative accuracy. */
VMATH float vmath_expm1_small(float r) {
    float p = 1.9790352962e-04f;
    p = p * r + 1.3944648672e-03f;
    p = p * r + 8.3334967494e-03f;
    p = p * r + 4.1666295379e-02f;
    p = p * r + 1.6666665673e-01f;
    p = p * r + 0.5f;
    return p * (r * r) + r;
}

/* e^x = 2^n e^r. Adding 1.5 * 2^23 rounds to an integer, which then stands in the low
 * bits. 2^n is applied in two halves: n reaches 128 (the result may be inf) and -150
 * (0). 1 ulp. */
VMATH float vmath_exp(float x) {
    x = vmath_min(vmath_max(x, -104.0f), 89.0f);
    float shifted = x * 1.44269504f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    float r = x - n * 0.693359375f; /* ln 2 in two pieces; the product with n is exact */
    r = r + n * 2.12194440e-4f;
    int32_t e = vmath_bits(shifted) - 0x4b400000, half = e >> 1;
    float low = vmath_power(half), high = vmath_power(e - half);
    return (vmath_expm1_small(r) + 1.0f) * low * high;
}

/* 3 ulp. */
VMATH float vmath_expm1(float x) {
    float near = vmath_expm1_small(x), far = vmath_exp(x) - 1.0f;
    return fabsf(x) < 0.34f ? near : far;
}

/* log(x) = e ln 2 + log(1 + m) with sqrt(1/2) <= 1 + m < sqrt(2). 1 ulp. */
VMATH float vmath_log(float x) {
    int tiny = x < 0x1p-126f;
    float scaled = tiny ? x * 0x1p23f : x;
    uint32_t bits = (uint32_t)vmath_bits(scaled);
    int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
    float m = vmath_from_bits((int32_t)(bits - ((uint32_t)e << 23))) - 1.0f;
    float z = m * m, f = (float)(tiny ? e - 23 : e);
    float p = 6.7466400564e-02f;
    p = p * m - 1.1675652117e-01f;
    p = p * m + 1.1888162047e-01f;
    p = p * m - 1.2405589223e-01f;
    p = p * m + 1.4219552279e-01f;
    p = p * m - 1.6667996347e-01f;
    p = p * m + 2.0002119243e-01f;
    p = p * m - 2.5000008941e-01f;
    p = p * m + 3.3333313465e-01f;
    p = p * m * z;
    p = p + f * -2.12194440e-4f;
    p = p - 0.5f * z;
    float y = m + p + f * 0.693359375f;
    y = x == 0 ? -INFINITY : y;
    y = x < INFINITY ? y : x; /* inf and nan */
    return x < 0 ? NAN : y;
}

/* log(1 + x): what 1 + x loses by rounding is put back to first order. 2 ulp. */
VMATH float vmath_log1p(float x) {
    float u = 1.0f + x, lost = x - (u - 1.0f);
    float y = vmath_log(u) + lost / u;
    return u > 0 && u < INFINITY ? y : vmath_log(u);
}

/* Below -88.7 e^-x is inf and the result 0. 3 ulp. */
VMATH float vmath_sigmoid(float x) { return 1.0f / (1.0f + vmath_exp(-x)); }

/* An odd polynomial near 0, else 1 - 2 / (e^2|x| + 1). 2 ulp. */
VMATH float vmath_tanh(float x) {
    float a = fabsf(x), z = x * x;
    float p = -5.7170451619e-03f;
    p = p * z + 2.0650587976e-02f;
    p = p * z - 5.3743496537e-02f;
    p = p * z + 1.3331490755e-01f;
    p = p * z - 3.3333283663e-01f;
    float near = p * z * x + x, far = 1.0f - 2.0f / (vmath_exp(2.0f * a) + 1.0f);
    return a < 0.625f ? near : copysignf(far, x);
}

/* log(1 + e^x) without overflow. */
VMATH float vmath_softplus(float x) {
    float tail = vmath_log1p(vmath_exp(-fabsf(x)));
    return (x < 0 ? 0 : x) + tail; /* nan comes through both */
}

/* erf for |x| <= 1. */
VMATH float vmath_erf_small(float x) {
    float z = x * x, p = 7.853860734e-05f;
    p = p * z - 8.010193706e-04f;
    p = p * z + 5.188327748e-03f;
    p = p * z - 2.685381286e-02f;
    p = p * z + 1.128358543e-01f;
    p = p * z - 3.761262596e-01f;
    p = p * z + 1.128379107e+00f;
    return p * x;
}

/* 1 - erf(a) for a >= 1: e^(-a^2) t P(t), t = 1 / (1 + a / 2). */
VMATH float vmath_erfc_large(float a) {
    a = vmath_min(a, 10.5f);
    float t = 1.0f / (1.0f + 0.5f * a), p = 9.376443177e-02f;
    p = p * t - 2.270644009e-01f;
    p = p * t + 8.344785124e-02f;
    p = p * t + 6.034190580e-02f;
    p = p * t + 1.790403128e-01f;
    p = p * t + 2.469040304e-01f;
    p = p * t + 2.820470035e-01f;
    p = p * t + 2.820980251e-01f;
    return vmath_exp(-a * a) * p * t;
}

/* 2.5 ulp. */
VMATH float vmath_erf(float x) {
    float a = fabsf(x);
    return a <= 1.0f ? vmath_erf_small(x) : copysignf(1.0f - vmath_erfc_large(a), x);
}

/* Phi(x), the distribution function of the normal distribution, accurate in its lower
 * tail. */
VMATH float vmath_phi(float x) {
    float a = fabsf(x) * 0.707106781f;
    float tail = 0.5f * (a <= 1.0f ? 1.0f - vmath_erf_small(a) : vmath_erfc_large(a));
    return x < 0 ? tail : 1.0f - tail;
}

VMATH float vmath_gelu(float x) {
    float y = x * vmath_phi(x);
    return x < -15.0f ? -0.0f : y; /* not -inf * 0 */
}

/* The inverse of erf for |x| <= erf(sqrt(2)) = 0.9545. */
VMATH float vmath_erfinv_middle(float x) {
    float w = -vmath_log((1.0f - x) * (1.0f + x)), p = -3.708110512e-07f;
    p = p * w - 1.454371613e-06f;
    p = p * w + 5.436051288e-05f;
    p = p * w - 1.370299578e-04f;
    p = p * w - 2.329598181e-03f;
    p = p * w + 1.154771540e-02f;
    p = p * w + 2.320138514e-01f;
    p = p * w + 8.862268925e-01f;
    return p * x;
}

/* sin(r) and cos(r) for |r| <= pi / 4. */
VMATH float vmath_sin_small(float r) {
    float z = r * r, p = -1.951729937e-04f;
    p = p * z + 8.332177997e-03f;
    p = p * z - 1.666665524e-01f;
    return p * z * r + r;
}

VMATH float vmath_cos_small(float r) {
    float z = r * r, p = 2.443845187e-05f;
    p = p * z - 1.388736768e-03f;
    p = p * z + 4.166664556e-02f;
    return p * z * z - 0.5f * z + 1.0f;
}

/* sin(x + quarters * pi / 2) for |x| <= VMATH_ANGLE_MAX. The multiple of pi / 2 is
 * taken off in double precision, which keeps the absolute error below 1e-7. */
#define VMATH_ANGLE_MAX 1e6f

VMATH float vmath_sin_shifted(float x, int64_t quarters) {
    double shifted = (double)x * 0.63661977236758134308 + 0x1.8p52,
           n = shifted - 0x1.8p52;
    float r = (float)(((double)x - n * 1.57079632673412561417) -
                      n * 6.07710050650619224932e-11);
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    int32_t turn = (int32_t)(bits + quarters);
    float y = turn & 1 ? vmath_cos_small(r) : vmath_sin_small(r);
    return turn & 2 ? -y : y;
}

#endif
