/* From the loops of reduce_loop.h to a kernel: one pair of functions for each dtype. */
#ifndef CDL_KERNELS_ISA_REDUCE_KERNEL_H
#define CDL_KERNELS_ISA_REDUCE_KERNEL_H
#include "kernels/isa/reduce.h"

typedef struct ReduceLoops {
    void (*run)(const Call *call, int64_t part);
    void (*combine)(const Call *call, int64_t begin, int64_t end);
} ReduceLoops;

#define REDUCE_LOOPS(name)                                                               \
    { name##_run, name##_combine }

enum { REDUCE_COMBINED = 2048 }; /* outputs in a part of phase 1 */

static inline size_t reduce_scratch(const Call *call) {
    int64_t segments = call->note[REDUCE_SEGMENTS];
    return segments == 1 ? 0 : (size_t)(segments * call->out[0].size) * sizeof(double);
}

/* Nothing to combine: no parts. */
static inline int64_t reduce_combine_parts(const Call *call) {
    return call->note[REDUCE_SEGMENTS] == 1 ? 0
                                            : chunks(call->out[0].size, REDUCE_COMBINED);
}

static inline void reduce_combine(const Call *call, int64_t part,
                                  const ReduceLoops *loops) {
    int64_t begin = part * REDUCE_COMBINED;
    if (call->note[REDUCE_SEGMENTS] == 1) return;
    loops->combine(call, begin, reduce_min(begin + REDUCE_COMBINED, call->out[0].size));
}

/* The loops are those for bool, uint8, int32, int64, float32 and float64 inputs. */
#define REDUCE_KERNEL(name, preparation, ...)                                            \
    static const ReduceLoops name##_loops[DTYPE_COUNT] = {__VA_ARGS__};                  \
    static void name##_run(const Call *call, int64_t part) {                             \
        name##_loops[call->in[0].dtype].run(call, part);                                 \
    }                                                                                    \
    static void name##_combine(const Call *call, int64_t part) {                         \
        reduce_combine(call, part, &name##_loops[call->in[0].dtype]);                    \
    }                                                                                    \
    KERNEL(name) = {                                                                     \
        .prepare = preparation,                                                          \
        .scratch = reduce_scratch,                                                       \
        .cost = reduce_cost,                                                             \
        .phase = {{reduce_parts, name##_run}, {reduce_combine_parts, name##_combine}}};

#endif
