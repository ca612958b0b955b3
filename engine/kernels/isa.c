#include "kernels/isa.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

static const char *const words[ISA_COUNT] = {"base", "avx2", "avx512"};

const char *isa_name(Isa isa) {
    static const char *const names[ISA_COUNT] = {"baseline", "AVX2", "AVX-512"};
    return names[isa];
}

/* The features that the compiler may use under the flags of each object
 * (CMakeLists.txt). */
bool isa_supported(Isa isa) {
    if (isa == ISA_BASE) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                __builtin_cpu_supports("popcnt");
    if (isa == ISA_AVX2) return avx2;
    return avx2 && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static Isa choose(void) {
    Isa best = ISA_BASE;
    for (Isa isa = ISA_BASE; isa < ISA_COUNT; isa++)
        if (isa_supported(isa)) best = isa;
    const char *wanted = getenv("CDL_ISA");
    if (!wanted || !*wanted) return best;
    for (Isa isa = ISA_BASE; isa < ISA_COUNT; isa++) {
        if (strcmp(wanted, words[isa]) != 0) continue;
        if (isa_supported(isa)) return isa;
        log_warning("CDL_ISA=%s: this CPU does not have %s; using %s", wanted,
                    isa_name(isa), isa_name(best));
        return best;
    }
    log_warning("CDL_ISA=%s: expected base, avx2 or avx512; using %s", wanted,
                isa_name(best));
    return best;
}

Isa isa_get(void) {
    static _Atomic int chosen = -1;
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa < 0) {
        isa = choose();
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return (Isa)isa;
}
