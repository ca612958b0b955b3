/* Buffers with a free list. A released buffer stays in the list of its size class, so
 * that the next tensor of about that size costs neither an allocation nor page faults. At
 * most BUFFER_KEPT bytes are kept. Main thread only. */
#ifndef CDL_TENSOR_BUFFER_H
#define CDL_TENSOR_BUFFER_H
#include "tensor/tensor.h"

enum { BUFFER_KEPT = 64 << 20 };

Buffer *buffer_new(size_t bytes); /* one reference; uninitialised; NULL: no memory */
void buffer_release(Buffer *buffer);

#endif
