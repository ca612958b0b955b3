/* The vectors that the matrix kernels are written in: VW elements of REAL, which is double
 * where REAL_IS_DOUBLE is defined before this file is included, else float. One
 * multiply-add is one rounding where the instruction set has it, spelt out so that no
 * compiler flag decides it. */
#ifndef CDL_KERNELS_ISA_GEMM_VECTOR_H
#define CDL_KERNELS_ISA_GEMM_VECTOR_H
#include <stdbool.h>
#include <stdint.h>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif

#ifdef REAL_IS_DOUBLE
typedef double REAL;
typedef int64_t RealInt;
#else
typedef float REAL;
typedef int32_t RealInt;
#endif

enum { VW = VECTOR_BYTES / sizeof(REAL) };
typedef REAL Vec __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL VecUnaligned
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef RealInt VecInt __attribute__((vector_size(VECTOR_BYTES)));

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE Vec vec_load(const REAL *p) { return *(const VecUnaligned *)p; }
INLINE void vec_store(REAL *p, Vec x) { *(VecUnaligned *)p = x; }
INLINE Vec vec_set(REAL x) { return x - (Vec){0}; }

/* The first n lanes (0 <= n <= VW); the others read as zero and are not written. */
#if defined(__AVX512F__) && !defined(REAL_IS_DOUBLE)
#define VEC_MASK(n) ((__mmask16)((1u << (n)) - 1))
INLINE Vec vec_load_part(const REAL *p, int n) {
    return _mm512_maskz_loadu_ps(VEC_MASK(n), p);
}
INLINE void vec_store_part(REAL *p, Vec x, int n) {
    _mm512_mask_storeu_ps(p, VEC_MASK(n), x);
}
INLINE Vec vec_fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
#elif defined(__AVX512F__)
#define VEC_MASK(n) ((__mmask8)((1u << (n)) - 1))
INLINE Vec vec_load_part(const REAL *p, int n) {
    return _mm512_maskz_loadu_pd(VEC_MASK(n), p);
}
INLINE void vec_store_part(REAL *p, Vec x, int n) {
    _mm512_mask_storeu_pd(p, VEC_MASK(n), x);
}
INLINE Vec vec_fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__AVX2__) && !defined(REAL_IS_DOUBLE)
INLINE __m256i vec_mask(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE Vec vec_load_part(const REAL *p, int n) {
    return _mm256_maskload_ps(p, vec_mask(n));
}
INLINE void vec_store_part(REAL *p, Vec x, int n) {
    _mm256_maskstore_ps(p, vec_mask(n), x);
}
INLINE Vec vec_fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
#elif defined(__AVX2__)
INLINE __m256i vec_mask(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
INLINE Vec vec_load_part(const REAL *p, int n) {
    return _mm256_maskload_pd(p, vec_mask(n));
}
INLINE void vec_store_part(REAL *p, Vec x, int n) {
    _mm256_maskstore_pd(p, vec_mask(n), x);
}
INLINE Vec vec_fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_pd(a, b, c); }
#else
INLINE Vec vec_load_part(const REAL *p, int n) {
    Vec x = {0};
    for (int i = 0; i < VW; i++)
        if (i < n) x[i] = p[i];
    return x;
}
INLINE void vec_store_part(REAL *p, Vec x, int n) {
    for (int i = 0; i < VW; i++)
        if (i < n) p[i] = x[i];
}
INLINE Vec vec_fma(Vec a, Vec b, Vec c) { return a * b + c; }
#endif

/* Lanes of p: all, or the first few; the others read as zero and are not written. */
INLINE Vec lanes_load(const REAL *p, int lanes) {
    return lanes == VW ? vec_load(p) : vec_load_part(p, lanes);
}
INLINE void lanes_store(REAL *p, Vec x, int lanes) {
    if (lanes == VW)
        vec_store(p, x);
    else
        vec_store_part(p, x, lanes);
}

/* Lane by lane a where a > b, else b: also where one of them is nan. */
#if defined(__AVX512F__) && !defined(REAL_IS_DOUBLE)
INLINE Vec vec_max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
#elif defined(__AVX512F__)
INLINE Vec vec_max(Vec a, Vec b) { return _mm512_max_pd(a, b); }
#elif defined(__AVX2__) && !defined(REAL_IS_DOUBLE)
INLINE Vec vec_max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
#elif defined(__AVX2__)
INLINE Vec vec_max(Vec a, Vec b) { return _mm256_max_pd(a, b); }
#else
INLINE Vec vec_max(Vec a, Vec b) {
    VecInt more = (VecInt)(a > b);
    return (Vec)((more & (VecInt)a) | (~more & (VecInt)b));
}
#endif

/* max(x, 0) that lets nan through. */
INLINE Vec vec_relu(Vec x) { return vec_max((Vec){0}, x); }

INLINE bool vec_has_nan(Vec x) {
#if defined(__AVX512F__) && !defined(REAL_IS_DOUBLE)
    return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q) != 0;
#elif defined(__AVX512F__)
    return _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q) != 0;
#elif defined(__AVX2__) && !defined(REAL_IS_DOUBLE)
    return _mm256_movemask_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_pd(_mm256_cmp_pd(x, x, _CMP_UNORD_Q)) != 0;
#else
    VecInt any = (VecInt)(x != x);
    RealInt found = 0;
    for (int i = 0; i < VW; i++) found |= any[i];
    return found != 0;
#endif
}

/* x[0], y[0], x[1], y[1], ...: of the first half of both, or of the second. */
INLINE Vec vec_interleave(Vec x, Vec y, int second) {
#if defined(__clang__)
    Vec z;
    for (int i = 0; i < VW; i++) z[i] = (i & 1 ? y : x)[i / 2 + second * VW / 2];
    return z;
#else
    VecInt from;
    for (int i = 0; i < VW; i++) from[i] = (i & 1) * VW + i / 2 + second * VW / 2;
    return __builtin_shuffle(x, y, from);
#endif
}

/* Turns VW vectors into the columns that they were rows of: log2(VW) rounds, each of which
 * interleaves the first half of the vectors with the second. */
INLINE void vec_transpose(Vec x[VW]) {
    for (int round = 1; round < VW; round *= 2) {
        Vec y[VW];
        UNROLL for (int i = 0; i < VW / 2; i++) {
            y[2 * i] = vec_interleave(x[i], x[i + VW / 2], 0);
            y[2 * i + 1] = vec_interleave(x[i], x[i + VW / 2], 1);
        }
        UNROLL for (int i = 0; i < VW; i++) x[i] = y[i];
    }
}

#endif
