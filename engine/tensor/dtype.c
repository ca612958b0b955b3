#include "tensor/dtype.h"
#include <stdint.h>
#include <string.h>
#include "tensor/convert.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[DTYPE_COUNT] = {
#define X(id, label, type) [DTYPE_##id] = {.name = label, .size = sizeof(type)},
    DTYPES(X)
#undef X
};

const char *dtype_name(DType dtype) { return dtypes[dtype].name; }
size_t dtype_size(DType dtype) { return dtypes[dtype].size; }
DType dtype_promote(DType a, DType b) { return a > b ? a : b; }

bool dtype_parse(const char *name, DType *dtype) {
    for (int i = 0; i < DTYPE_COUNT; i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        *dtype = (DType)i;
        return true;
    }
    return false;
}

double dtype_load(DType dtype, const void *at) {
    switch (dtype) {
#define X(id, name, type)                                                                \
    case DTYPE_##id:                                                                     \
        return (double)*(const type *)at;
        DTYPES(X)
#undef X
    case DTYPE_COUNT:
        break;
    }
    return 0;
}

void dtype_store(DType dtype, void *at, double value) {
    switch (dtype) {
#define X(id, name, type)                                                                \
    case DTYPE_##id:                                                                     \
        *(type *)at = CONVERT(REAL, id, value);                                          \
        break;
        DTYPES(X)
#undef X
    case DTYPE_COUNT:
        break;
    }
}
