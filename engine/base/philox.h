/* Random numbers as a function: Philox4x32-10 (Salmon et al., "Parallel random numbers:
 * as easy as 1, 2, 3", SC 2011). Four 32-bit words for each (key, counter); no state, so
 * any element of any stream can be computed anywhere, in any order.
 *
 * In cdl the key is (seed, stream) and the counter (step, element / 4). */
#ifndef CDL_BASE_PHILOX_H
#define CDL_BASE_PHILOX_H
#include <stdint.h>

typedef struct Philox {
    uint32_t word[4];
} Philox;

static inline Philox philox(uint64_t key, uint64_t counter_high, uint64_t counter_low) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)counter_low, c1 = (uint32_t)(counter_low >> 32);
    uint32_t c2 = (uint32_t)counter_high, c3 = (uint32_t)(counter_high >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (Philox){{c0, c1, c2, c3}};
}

/* The key of a stream: seed and stream hash mixed (splitmix64 finaliser). */
static inline uint64_t philox_key(uint64_t seed, uint64_t stream) {
    uint64_t z = seed + 0x9E3779B97F4A7C15u * (stream + 1);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* 24 random bits as a float in [0, 1); 53 as a double. */
static inline float philox_unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }
static inline double philox_unit2(uint32_t high, uint32_t low) {
    return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

/* A uniform integer below n (n > 0) from 64 random bits, by multiplication. */
static inline uint64_t philox_below(uint32_t high, uint32_t low, uint64_t n) {
    uint64_t bits = ((uint64_t)high << 32) | low;
    return (uint64_t)(((unsigned __int128)bits * n) >> 64);
}

#endif
