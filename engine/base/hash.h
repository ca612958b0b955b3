/* FNV-1a, 64 bits: names of random streams, keys of caches. */
#ifndef CDL_BASE_HASH_H
#define CDL_BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_bytes(const void *data, size_t bytes) {
    const unsigned char *at = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

#endif
