#include "tensor/digest.h"
#include <string.h>

enum { LANES = 4 }; /* independent chains, so that multiplications overlap */

static const uint64_t odd = UINT64_C(0xff51afd7ed558ccd);

/* Every step is one-to-one in the chain, so two chains that differ once stay apart. */
static uint64_t mix(uint64_t chain, uint64_t word) {
    chain = (chain ^ word) * odd;
    return chain ^ chain >> 32;
}

static uint64_t digest_bytes(uint64_t digest, const char *data, size_t bytes) {
    uint64_t lane[LANES], word[LANES] = {0};
    for (int k = 0; k < LANES; k++) lane[k] = mix(digest, (uint64_t)k);
    size_t at = 0;
    for (; at + sizeof word <= bytes; at += sizeof word) {
        memcpy(word, data + at, sizeof word);
        for (int k = 0; k < LANES; k++) lane[k] = mix(lane[k], word[k]);
    }
    memset(word, 0, sizeof word);
    if (bytes > at) memcpy(word, data + at, bytes - at);
    for (int k = 0; k < LANES; k++) digest = mix(mix(digest, lane[k]), word[k]);
    return mix(digest, bytes);
}

bool tensor_digest(const Tensor *tensor, uint64_t *digest, Err *err) {
    Tensor straight = {0};
    if (!tensor_contiguous(tensor, &straight, err)) return false;
    uint64_t sum = mix(*digest, (uint64_t)tensor->dtype);
    for (int k = 0; k < tensor->shape.ndim; k++)
        sum = mix(sum, (uint64_t)tensor->shape.dim[k]);
    *digest = digest_bytes(sum, straight.data, tensor_bytes(&straight));
    tensor_release(&straight);
    return true;
}
