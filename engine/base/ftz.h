/* Flush-to-zero and denormals-are-zero, per thread: subnormal floats cost a hundred
 * cycles each and carry nothing that training needs. The state is kept by the caller,
 * since Lua's own doubles must not be flushed.
 *
 *     FtzState before = ftz_on(); ...; ftz_restore(before); */
#ifndef CDL_BASE_FTZ_H
#define CDL_BASE_FTZ_H
#include <stdint.h>

#if defined(__SSE2__)
typedef unsigned FtzState;
static inline void ftz_restore(FtzState state) { __builtin_ia32_ldmxcsr(state); }
static inline FtzState ftz_on(void) {
    FtzState before = __builtin_ia32_stmxcsr();
    ftz_restore(before | 0x8040); /* bit 15 flushes results, bit 6 operands */
    return before;
}
#elif defined(__aarch64__)
typedef uint64_t FtzState;
static inline void ftz_restore(FtzState state) {
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
}
static inline FtzState ftz_on(void) {
    FtzState before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    ftz_restore(before | (UINT64_C(1) << 24)); /* FZ, results and operands */
    return before;
}
#else
typedef int FtzState;
static inline void ftz_restore(FtzState state) { (void)state; }
static inline FtzState ftz_on(void) { return 0; }
#endif

#endif
