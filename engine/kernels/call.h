/* What a kernel sees: raw contiguous operands, attributes, a part number.
 *
 * A kernel never starts a thread and never asks how many there are. It says into how many
 * parts its work falls, from the shapes alone, and runs one part. A reduction writes one
 * partial per part into the scratch memory in phase 0 and adds them in order in phase 1; all
 * parts of a phase are done before the next phase starts. So bits never depend on threads.
 *
 * Kernels are compiled once per instruction set (base, avx2, avx512): every kernel file
 * defines its objects with KERNEL(name), which makes kernel_<name>_<isa>. Headers that these
 * files include may contain only `static inline` functions. */
#ifndef CDL_KERNELS_CALL_H
#define CDL_KERNELS_CALL_H
#include <stddef.h>
#include <stdint.h>
#include "tensor/dtype.h"
#include "tensor/shape.h"

enum { ATTR_INTS = 27, ATTR_REALS = 4, CALL_NOTES = 24, KERNEL_PHASES = 3 };

/* An op's attributes; what each entry means stands beside the op's row in graph/ops.def. */
typedef struct Attrs {
    int64_t i[ATTR_INTS];
    double f[ATTR_REALS];
} Attrs;

typedef struct Operand {
    void *data;
    int64_t size; /* elements */
    DType dtype;
    Shape shape;
} Operand;

/* The first (lowest position) error that a kernel found in the data. */
typedef struct Fault Fault;

typedef struct Call {
    Attrs attrs;
    int n_in, n_out;
    Operand *in, *out;
    void *scratch; /* kernel->scratch(call) bytes, 64-byte aligned; NULL when 0 */
    int64_t note
        [CALL_NOTES]; /* filled by prepare from the shapes (collapsed strides, tiles) */
    Fault *fault;
} Call;

/* What parts of a phase say when the call does not need it: it is left out. */
enum { KERNEL_NOTHING = -1 };

typedef struct KernelPhase {
    int64_t (*parts)(const Call *call); /* NULL: one part */
    void (*run)(const Call *call, int64_t part);
} KernelPhase;

/* What is true of a kernel's access to memory. KERNEL_ELEMENTWISE: element i of every output
 * depends on element i alone of the inputs that have the output's shape, and a part covers the
 * same range of elements in all of them (KERNEL_CHUNK elements); so an output may take the
 * memory of such an input of the same element size. KERNEL_FAULTS: may report a fault.
 * KERNEL_IN_PLACE: output k may take the memory of input k, and of no other: each part reads
 * there what it then writes. */
enum { KERNEL_ELEMENTWISE = 1, KERNEL_FAULTS = 2, KERNEL_IN_PLACE = 4 };
enum { KERNEL_CHUNK = 8192 };

typedef struct Kernel {
    int flags;
    void (*prepare)(Call *call);         /* NULL: nothing; shapes and attrs are set */
    size_t (*scratch)(const Call *call); /* NULL: none; after prepare */
    double (*cost)(
        const Call *call); /* rough nanoseconds on one thread; NULL: by bytes */
    /* Additions and multiplications, where these and not memory are the limit (profiles);
     * NULL: memory is. */
    double (*flops)(const Call *call);
    /* Bytes read and written, where that is not all of the operands; NULL: it is. */
    double (*bytes)(const Call *call);
    KernelPhase phase[KERNEL_PHASES]; /* ends at the first with run == NULL */
} Kernel;

/* Reports an error in the data, e.g. an index out of range. The report with the lowest
 * position stays, whatever the order of threads. The kernel goes on (and writes zeros). */
void fault_set(Fault *fault, int64_t position, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifndef ISA
#define ISA base
#endif
#define KERNEL_JOIN2(a, b, c) a##b##_##c
#define KERNEL_JOIN(a, b, c)  KERNEL_JOIN2(a, b, c)
/* KERNEL(add) = {...}; defines `const Kernel kernel_add_avx2` in the object for AVX2. */
#define KERNEL(name) const Kernel KERNEL_JOIN(kernel_, name, ISA)

static inline int64_t chunks(int64_t n, int64_t chunk) {
    return n <= 0 ? 1 : (n + chunk - 1) / chunk;
}

#endif
