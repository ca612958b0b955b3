#include "kernels/limits.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "kernels/isa.h"

typedef double Multiply(int64_t rounds, float *result);
Multiply limits_multiply_base;
#if defined(__x86_64__)
Multiply limits_multiply_avx2, limits_multiply_avx512;
static Multiply *const multiply[ISA_COUNT] = {limits_multiply_base, limits_multiply_avx2,
                                              limits_multiply_avx512};
#else
static Multiply *const multiply[ISA_COUNT] = {limits_multiply_base};
#endif

enum { TRIES = 7, ROUNDS = 200000, REPEATED = 32 << 20 };

/* From what two threads' second level caches hold to what only memory does. */
static const size_t level_bytes[LIMIT_LEVELS] = {512 << 10, 4 << 20, 16 << 20, 128 << 20};

/* One measurement; all threads run it between two barriers, and each writes on a line of
 * its own. */
typedef struct Trial {
    char *memory; /* NULL: multiply */
    size_t bytes;
    double start, seconds;
    struct {
        double work;
        char line[56];
    } thread[POOL_MAX];
} Trial;

static double copy_half(const Trial *trial, int thread, int threads) {
    size_t half = trial->bytes / (size_t)threads / 2;
    char *to = trial->memory + 2 * half * (size_t)thread;
    size_t repeats = REPEATED / trial->bytes + 1;
    for (size_t k = 0; k < repeats; k++) {
        memcpy(to, to + half, half);
        __asm__ volatile("" ::: "memory");
    }
    return 2.0 * (double)(half * repeats);
}

static void run_trial(void *context, int thread, int threads) {
    Trial *trial = context;
    pool_barrier();
    if (thread == 0) trial->start = clock_now();
    float result;
    trial->thread[thread].work = trial->memory ? copy_half(trial, thread, threads)
                                               : multiply[isa_get()](ROUNDS, &result);
    __asm__ volatile("" ::: "memory");
    pool_barrier();
    if (thread == 0) trial->seconds = clock_now() - trial->start;
}

/* The best of several trials, in units of work per second. */
static double best_rate(Trial *trial) {
    double best = 0;
    for (int k = 0; k < TRIES; k++) {
        memset(trial->thread, 0, sizeof trial->thread);
        pool_run(run_trial, trial);
        double work = 0;
        for (int i = 0; i < POOL_MAX; i++) work += trial->thread[i].work;
        if (work / trial->seconds > best) best = work / trial->seconds;
    }
    return best;
}

Limits limits_measure(void) {
    static Trial trial;
    trial.memory = NULL;
    Limits limits = {.flops = best_rate(&trial)};
    for (int level = 0; level < LIMIT_LEVELS; level++) {
        trial.bytes = limits.bytes[level] = level_bytes[level];
        trial.memory = mem_alloc(trial.bytes);
        if (trial.memory) memset(trial.memory, 1, trial.bytes); /* pages of its own */
        limits.copy[level] = trial.memory ? best_rate(&trial)
                             : level      ? limits.copy[level - 1]
                                          : 0;
        mem_free(trial.memory);
    }
    return limits;
}

double limits_copy(const Limits *limits, double bytes) {
    int level = 0;
    while (level < LIMIT_LEVELS - 1 && bytes > (double)limits->bytes[level]) level++;
    return limits->copy[level];
}
