/* Indices: checked where they are used. An index out of range is reported with its
 * place in the tensor of indices (counted from 1, as Lua does) and stands for no
 * element. */
#ifndef CDL_KERNELS_ISA_INDEX_H
#define CDL_KERNELS_ISA_INDEX_H
#include "kernels/call.h"

static inline bool index_check(const Call *call, int64_t index, int64_t position,
                               int64_t size) {
    if ((uint64_t)index < (uint64_t)size) return true;
    fault_set(call->fault, position,
              "index %ld at position %ld is out of range for size %ld", (long)index,
              (long)(position + 1), (long)size);
    return false;
}

static inline int64_t index_min(int64_t a, int64_t b) { return a < b ? a : b; }

#endif
