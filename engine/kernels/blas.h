/* OpenBLAS, if the machine has it: for matrix products where it is faster than our own
 * kernels. Nothing is linked; the library is looked for at the first call of blas_get,
 * which is at the first product that wants it.
 *
 *     const Blas *blas = blas_get();
 *     if (blas) blas->sgemm(BLAS_ROW_MAJOR, BLAS_PLAIN, BLAS_TRANSPOSED, M, N, K, 1,
 * ...);
 *
 * It runs on one thread, since the work is cut before it comes here. Older libraries do
 * not know newer CPUs and then take kernels that are several times slower; blas_get
 * notices that and has it choose again. A user's OPENBLAS_CORETYPE is left alone.
 *
 * Environment: CDL_BLAS names the library to load; CDL_BLAS=none goes without. */
#ifndef CDL_KERNELS_BLAS_H
#define CDL_KERNELS_BLAS_H
#include <stddef.h>

enum {
    BLAS_ROW_MAJOR = 101,
    BLAS_PLAIN = 111,
    BLAS_TRANSPOSED = 112
}; /* CBLAS's numbers */

typedef void BlasSgemm(int order, int ta, int tb, int M, int N, int K, float alpha,
                       const float *a, int lda, const float *b, int ldb, float beta,
                       float *c, int ldc);
typedef void BlasDgemm(int order, int ta, int tb, int M, int N, int K, double alpha,
                       const double *a, int lda, const double *b, int ldb, double beta,
                       double *c, int ldc);

typedef struct Blas {
    BlasSgemm *sgemm;
    BlasDgemm *dgemm;
    char version[32]; /* "0.3.21" */
    char core[32];    /* the kernels that it uses, "SkylakeX"; empty: not known */
    char path[256];
} Blas;

/* The multiply-adds from which kernels below AVX-512 ask for the library. */
#define BLAS_WORK 0x1p30

const Blas *blas_get(void); /* NULL: there is none; may be called from any thread */

/* "0.3.21, SkylakeX kernels (/usr/lib/...)" or "none", into text; returns text.
 */
char *blas_description(char *text, size_t bytes);

#endif
