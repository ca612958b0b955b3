/* Sigmoid and tanh of vectors, for gates that are in registers. In float32 they are
 * written with multiply-adds, and with a reciprocal in place of a division: errors up to
 * 3 units in the last place, infinities and nan come through. In float64 each lane calls
 * the library. */
#ifndef CDL_KERNELS_ISA_RNN_MATH_H
#define CDL_KERNELS_ISA_RNN_MATH_H
#include <math.h>
#include "kernels/isa/gemm_vector.h"

#ifdef REAL_IS_DOUBLE

INLINE Vec vec_sigmoid(Vec x) {
    for (int i = 0; i < VW; i++) x[i] = 1 / (1 + exp(-x[i]));
    return x;
}
INLINE Vec vec_tanh(Vec x) {
    for (int i = 0; i < VW; i++) x[i] = tanh(x[i]);
    return x;
}

#else

/* x limited to [low, high]; nan stays. */
INLINE Vec vec_limit(Vec x, float low, float high) {
#if defined(__AVX512F__)
    return _mm512_min_ps(vec_set(high), _mm512_max_ps(vec_set(low), x));
#elif defined(__AVX2__)
    return _mm256_min_ps(vec_set(high), _mm256_max_ps(vec_set(low), x));
#else
    VecInt below = (VecInt)(x < vec_set(low)), above = (VecInt)(x > vec_set(high));
    VecInt bits = (below & (VecInt)vec_set(low)) | (above & (VecInt)vec_set(high)) |
                  (~(below | above) & (VecInt)x);
    return (Vec)bits;
#endif
}

/* 1 / x for x in [2^-100, 2^126]. */
INLINE Vec vec_reciprocal(Vec x) {
#if defined(__AVX512F__)
    Vec near = _mm512_rcp14_ps(x); /* one step of Newton doubles its 14 bits */
    return vec_fma(near, _mm512_fnmadd_ps(x, near, vec_set(1)), near);
#else
    return vec_set(1) / x;
#endif
}

/* e^x - 1 = power * small + (power - 1) with power = 2^n and small = e^r - 1,
 * |r| <= ln(2) / 2. For |x| <= 87. */
INLINE void vec_expm1_parts(Vec x, Vec *power, Vec *small) {
    Vec shifted = vec_fma(x, vec_set(1.44269504f), vec_set(0x1.8p23f));
    Vec n = shifted - vec_set(0x1.8p23f);
    Vec r = vec_fma(n, vec_set(-0.693359375f), x); /* ln 2 in two pieces */
    r = vec_fma(n, vec_set(2.12194440e-4f), r);
    Vec p = vec_set(1.9790352962e-04f);
    p = vec_fma(p, r, vec_set(1.3944648672e-03f));
    p = vec_fma(p, r, vec_set(8.3334967494e-03f));
    p = vec_fma(p, r, vec_set(4.1666295379e-02f));
    p = vec_fma(p, r, vec_set(1.6666665673e-01f));
    p = vec_fma(p, r, vec_set(0.5f));
    *small = vec_fma(p, r * r, r);
    *power = (Vec)(((VecInt)shifted << 23) + (VecInt)vec_set(1));
}

INLINE Vec vec_sigmoid(Vec x) {
    Vec power, small;
    vec_expm1_parts(-vec_limit(x, -87, 87), &power, &small);
    return vec_reciprocal(vec_fma(power, small, power) + vec_set(1));
}

/* (e^2x - 1) / (e^2x + 1): accurate near 0, too. */
INLINE Vec vec_tanh(Vec x) {
    Vec power, small;
    vec_expm1_parts(vec_limit(x + x, -40, 40), &power, &small);
    Vec above = vec_fma(power, small, power - vec_set(1));
    return above * vec_reciprocal(above + vec_set(2));
}

#endif
#endif
