/* The idx format of the MNIST family, plain or gzip-compressed: two zero bytes, the
 * element type, the number of axes, their sizes, the elements; all big-endian
 * (http://yann.lecun.com/exdb/mnist). int8 and int16 become int32. */
#ifndef CDL_IO_IDX_H
#define CDL_IO_IDX_H
#include "tensor/tensor.h"

bool idx_load(const char *path, Tensor *out, Err *err);

#endif
