/* A number that tells whether tensors hold the same data: equal data give equal numbers,
 * others practically never. It depends on dtypes, shapes and bits, not on how they lie in
 * memory, and guards against mix-ups, not against forgery.
 *
 *     uint64_t digest = DIGEST_START;
 *     if (!tensor_digest(&x, &digest, &err) || !tensor_digest(&y, &digest, &err)) ... */
#ifndef CDL_TENSOR_DIGEST_H
#define CDL_TENSOR_DIGEST_H
#include "tensor/tensor.h"

#define DIGEST_START UINT64_C(0x9e3779b97f4a7c15)

/* Moves the digest on by a tensor. */
bool tensor_digest(const Tensor *tensor, uint64_t *digest, Err *err);

#endif
