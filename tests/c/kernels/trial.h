/* A kernel under test. A trial holds operands made by hand; trial_run runs the kernel
 * of every instruction set that this CPU has, with the parts in order, in reverse and
 * scrambled, and checks that all give the same bits and write nothing beside their
 * outputs. Tests then compare the outputs, which hold the last run, with a plain
 * reference.
 *
 *     Trial t = {0};
 *     float *x = trial_in(&t, DTYPE_FLOAT32, shape_of(2, 3L, 4L));
 *     float *y = trial_out(&t, DTYPE_FLOAT32, shape_of(2, 3L, 4L));
 *     trial_run(&t, KERNELS(neg));
 *     trial_end(&t); */
#ifndef CDL_TESTS_KERNELS_TRIAL_H
#define CDL_TESTS_KERNELS_TRIAL_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "kernels/call.h"
#include "kernels/fault.h"
#include "kernels/isa.h"
#include "test.h"

/* KERNEL_DECLARE(neg); before use. KERNELS(neg): its name and its objects, as the two
 * last arguments of a function. */
/* clang-format off */
#if defined(__x86_64__)
#define KERNEL_DECLARE(name)                                                             \
    extern const Kernel kernel_##name##_base, kernel_##name##_avx2, kernel_##name##_avx512
#define KERNELS(name)                                                                    \
    #name, (const Kernel *const[]){&kernel_##name##_base, &kernel_##name##_avx2,         \
                                   &kernel_##name##_avx512}
enum { TRIAL_ISAS = 3 };
#else
#define KERNEL_DECLARE(name) extern const Kernel kernel_##name##_base
#define KERNELS(name) #name, (const Kernel *const[]){&kernel_##name##_base}
enum { TRIAL_ISAS = 1 };
#endif
/* clang-format on */

enum { TRIAL_IN = 16, TRIAL_OUT = 6, TRIAL_GUARD = 64 };

typedef struct Trial {
    Call call;
    Operand in[TRIAL_IN], out[TRIAL_OUT];
    int alias
        [TRIAL_OUT]; /* 1 + number of the input whose memory the output takes; 0: none */
    Fault fault;
} Trial;

static inline size_t trial_bytes(const Operand *operand) {
    return (size_t)operand->size * dtype_size(operand->dtype);
}

static inline Operand trial_operand(DType dtype, Shape shape, size_t guard) {
    Operand operand = {.size = shape_size(&shape), .dtype = dtype, .shape = shape};
    operand.data = mem_alloc(trial_bytes(&operand) + guard);
    if (!operand.data) abort();
    return operand;
}

static inline void *trial_in(Trial *t, DType dtype, Shape shape) {
    t->in[t->call.n_in] = trial_operand(dtype, shape, 0);
    return t->in[t->call.n_in++].data;
}

static inline void *trial_out(Trial *t, DType dtype, Shape shape) {
    t->out[t->call.n_out] = trial_operand(dtype, shape, TRIAL_GUARD);
    return t->out[t->call.n_out++].data;
}

/* A scalar input. */
static inline void trial_number(Trial *t, float value) {
    *(float *)trial_in(t, DTYPE_FLOAT32, shape_of(0)) = value;
}

static inline void trial_end(Trial *t) {
    for (int k = 0; k < t->call.n_in; k++) mem_free(t->in[k].data);
    for (int k = 0; k < t->call.n_out; k++) mem_free(t->out[k].data);
    *t = (Trial){0};
}

/* Uniform in [low, high), the same sequence in every run of a test. */
static inline double trial_uniform(uint64_t *state, double low, double high) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(*state >> 11) * 0x1p-53;
}

static inline int64_t trial_below(uint64_t *state, int64_t n) {
    return (int64_t)trial_uniform(state, 0, (double)n);
}

static inline void trial_fill(Trial *t, int operand, uint64_t seed, double low,
                              double high) {
    Operand *o = &t->in[operand];
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (int64_t i = 0; i < o->size; i++) {
        double value = trial_uniform(&state, low, high);
        if (o->dtype == DTYPE_BOOL)
            value = value > (low + high) / 2;
        else if (!dtype_is_float(o->dtype))
            value = floor(value);
        dtype_store(o->dtype, (char *)o->data + (size_t)i * dtype_size(o->dtype), value);
    }
}

static inline double trial_at(const Operand *o, int64_t i) {
    return dtype_load(o->dtype, (const char *)o->data + (size_t)i * dtype_size(o->dtype));
}

static inline int64_t trial_divisor(int64_t a, int64_t b) {
    return b ? trial_divisor(b, a % b) : a;
}

/* Place k of n in an order: 0 forward, 1 backward, 2 by steps that have no common
 * divisor with n and so meet every part. */
static inline int64_t trial_order(int order, int64_t k, int64_t n) {
    if (order == 0) return k;
    if (order == 1) return n - 1 - k;
    int64_t step = 7;
    while (trial_divisor(n, step) != 1) step += 2;
    return (k * (step % n) + n / 2) % n;
}

static inline void trial_once(Trial *t, const Kernel *kernel, int order, char *memory[]) {
    Operand in[TRIAL_IN], out[TRIAL_OUT];
    Call call = t->call;
    memcpy(in, t->in, sizeof in);
    memcpy(out, t->out, sizeof out);
    call.in = in;
    call.out = out;
    call.fault = &t->fault;
    t->fault = (Fault)FAULT_NONE;
    for (int k = 0; k < call.n_out; k++) {
        memset(memory[k], 0xA5, trial_bytes(&out[k]) + TRIAL_GUARD);
        out[k].data = memory[k];
        if (!t->alias[k]) continue;
        Operand *same = &in[t->alias[k] - 1];
        memcpy(out[k].data, t->in[t->alias[k] - 1].data, trial_bytes(same));
        same->data = out[k].data;
    }
    memset(call.note, 0x77, sizeof call.note);
    if (kernel->prepare) kernel->prepare(&call);
    size_t bytes = kernel->scratch ? kernel->scratch(&call) : 0;
    call.scratch = bytes ? mem_alloc(bytes) : NULL;
    if (bytes) memset(call.scratch, 0x5A, bytes);
    if (kernel->cost) CHECK(kernel->cost(&call) >= 0);
    for (int phase = 0; phase < KERNEL_PHASES && kernel->phase[phase].run; phase++) {
        int64_t (*parts)(const Call *) = kernel->phase[phase].parts;
        int64_t n = parts ? parts(&call) : 1;
        for (int64_t k = 0; k < n; k++)
            kernel->phase[phase].run(&call, trial_order(order, k, n));
    }
    mem_free(call.scratch);
}

static inline bool trial_guarded(const char *memory, size_t bytes) {
    for (int i = 0; i < TRIAL_GUARD; i++)
        if ((unsigned char)memory[bytes + (size_t)i] != 0xA5) return false;
    return true;
}

/* Equal bits; of a nan only that it is one, since which of two operands' signs it
 * takes is the compiler's choice. */
static inline bool trial_same(const Operand *out, const char *a, const char *b) {
    size_t width = dtype_size(out->dtype);
    for (size_t at = 0; at < trial_bytes(out); at += width) {
        if (!memcmp(a + at, b + at, width)) continue;
        if (!isnan(dtype_load(out->dtype, a + at))) return false;
        if (!isnan(dtype_load(out->dtype, b + at))) return false;
    }
    return true;
}

static inline void trial_run(Trial *t, const char *name, const Kernel *const kernels[]) {
    char *memory[TRIAL_OUT];
    for (int k = 0; k < t->call.n_out; k++) {
        memory[k] = mem_alloc(trial_bytes(&t->out[k]) + TRIAL_GUARD);
        if (!memory[k]) abort();
    }
    bool first = true;
    for (int isa = 0; isa < TRIAL_ISAS; isa++) {
        if (!isa_supported((Isa)isa)) continue;
        for (int order = 0; order < 3; order++, first = false) {
            trial_once(t, kernels[isa], order, memory);
            for (int k = 0; k < t->call.n_out; k++) {
                size_t bytes = trial_bytes(&t->out[k]);
                bool same = first || trial_same(&t->out[k], memory[k], t->out[k].data);
                test_checks++;
                if (!same || !trial_guarded(memory[k], bytes)) {
                    test_failures++;
                    fprintf(stderr, "%s: output %d %s, %s, order %d\n", name, k,
                            same ? "overruns its memory" : "has other bits",
                            isa_name((Isa)isa), order);
                }
                memcpy(t->out[k].data, memory[k], bytes);
            }
        }
    }
    for (int k = 0; k < t->call.n_out; k++) mem_free(memory[k]);
}

/* Inputs of the shapes of an elementwise call: the element of operand k for an output
 * element. */
static inline int64_t trial_source(const Shape *out, const Shape *in, int64_t at) {
    int64_t source = 0, step = 1;
    for (int axis = out->ndim - 1; axis >= 0; axis--) {
        int64_t index = at % out->dim[axis];
        int own = axis - (out->ndim - in->ndim);
        at /= out->dim[axis];
        if (own < 0) continue;
        if (in->dim[own] != 1) source += index * step;
        step *= in->dim[own];
    }
    return source;
}

/* How many outputs differ from reference(context, element) by more than tolerance,
 * relative to the larger of 1 and the reference; nan and infinities must agree. */
static inline void trial_expect(const Trial *t, int output, const char *what,
                                double tolerance,
                                double (*reference)(const Trial *t, int64_t at)) {
    const Operand *out = &t->out[output];
    int shown = 0;
    for (int64_t i = 0; i < out->size; i++) {
        double got = trial_at(out, i), want = reference(t, i);
        bool good = isnan(want)   ? isnan(got)
                    : isinf(want) ? got == want
                                  : fabs(got - want) <= tolerance * fmax(1, fabs(want));
        test_checks++;
        if (good) continue;
        test_failures++;
        if (shown++ < 3)
            fprintf(stderr, "%s: element %ld is %.9g, wanted %.9g\n", what, (long)i, got,
                    want);
    }
}

#endif
