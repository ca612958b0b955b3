/* A library under OpenBLAS's names, as odd as the environment's ODD_BLAS says: "none" of its
 * business, "wide" sizes, "wrong" products. */
#include <stdlib.h>
#include <string.h>

static int is(const char *kind) {
    const char *odd = getenv("ODD_BLAS");
    return odd && !strcmp(odd, kind);
}

const char *openblas_get_config(void);
const char *openblas_get_config(void) {
    return is("wide") ? "OpenBLAS 0.3.99 USE64BITINT" : "OpenBLAS 0.3.99";
}

#define PRODUCT(name, REAL)                                                              \
    void name(int order, int ta, int tb, int M, int N, int K, REAL alpha, const REAL *a, \
              int lda, const REAL *b, int ldb, REAL beta, REAL *c, int ldc);             \
    void name(int order, int ta, int tb, int M, int N, int K, REAL alpha, const REAL *a, \
              int lda, const REAL *b, int ldb, REAL beta, REAL *c, int ldc) {            \
        if (is("wide")) abort();                                                         \
        for (int m = 0; m < M; m++) {                                                    \
            for (int n = 0; n < N; n++) {                                                \
                REAL sum = is("wrong");                                                  \
                for (int k = 0; k < K; k++)                                              \
                    sum += a[ta == 112 ? k * lda + m : m * lda + k] *                    \
                           b[tb == 112 ? n * ldb + k : k * ldb + n];                     \
                c[m * ldc + n] = alpha * sum;                                            \
            }                                                                            \
        }                                                                                \
    }

PRODUCT(cblas_sgemm, float)
PRODUCT(cblas_dgemm, double)
