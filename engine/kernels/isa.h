/* Which kernels this process uses: the best that the CPU supports, or the one that the
 * environment variable CDL_ISA names (base, avx2, avx512) when the CPU has it. */
#ifndef CDL_KERNELS_ISA_H
#define CDL_KERNELS_ISA_H
#include <stdbool.h>

typedef enum Isa { ISA_BASE, ISA_AVX2, ISA_AVX512, ISA_COUNT } Isa;

Isa isa_get(void);             /* chosen at the first call */
bool isa_supported(Isa isa);   /* has this CPU what the objects for isa need? */
const char *isa_name(Isa isa); /* "baseline", "AVX2", "AVX-512" */

#endif
