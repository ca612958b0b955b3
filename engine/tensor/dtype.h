/* Element types, in the order of promotion: the later of two wins. */
#ifndef CDL_TENSOR_DTYPE_H
#define CDL_TENSOR_DTYPE_H
#include <stdbool.h>
#include <stddef.h>

/*        enum     name       C type   */
#define DTYPES(X)                                                                        \
    X(BOOL, "bool", uint8_t)                                                             \
    X(UINT8, "uint8", uint8_t)                                                           \
    X(INT32, "int32", int32_t)                                                           \
    X(INT64, "int64", int64_t)                                                           \
    X(FLOAT32, "float32", float)                                                         \
    X(FLOAT64, "float64", double)

typedef enum DType {
#define X(id, name, type) DTYPE_##id,
    DTYPES(X)
#undef X
        DTYPE_COUNT
} DType;

const char *dtype_name(DType dtype);
bool dtype_parse(const char *name, DType *dtype); /* false: no such name */
size_t dtype_size(DType dtype);                   /* bytes of one element */
DType dtype_promote(DType a, DType b);
static inline bool dtype_is_float(DType d) { return d >= DTYPE_FLOAT32; }
static inline bool dtype_is_int(DType d) {
    return d == DTYPE_UINT8 || d == DTYPE_INT32 || d == DTYPE_INT64;
}

/* One element as a double (exact but for large int64), and back (value must fit). */
double dtype_load(DType dtype, const void *at);
void dtype_store(DType dtype, void *at, double value);

#endif
