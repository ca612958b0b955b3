/* A kernel call made ready: what eager ops and plans share. From the types of a node to a
 * Call whose shapes, attributes and notes are set, and the answers that the kernel gives
 * from them.
 *
 *     Operand in[2], out[1];
 *     call_init(&call, op_kernel(op), attrs, 2, in_types, in, 1, out_types, out);
 *     call.scratch = ... call_scratch(kernel, &call) bytes ...
 *     in[0].data = ...; out[0].data = ...; call.fault = &fault;
 *     for (int phase = 0; phase < call_phases(kernel); phase++)
 *         for (int64_t part = 0; part < call_parts(kernel, &call, phase); part++)
 *             kernel->phase[phase].run(&call, part);
 *
 * Addresses, scratch and fault are the caller's to set after call_init; nothing here
 * reads them. No memory is taken. */
#ifndef CDL_GRAPH_CALL_SETUP_H
#define CDL_GRAPH_CALL_SETUP_H
#include "graph/op.h"

/* Fills call and the operand arrays (which call keeps pointing at; data is NULL in them)
 * and runs the kernel's prepare. attrs may be NULL: all zero. */
void call_init(Call *call, const Kernel *kernel, const Attrs *attrs, int n_in,
               const Type in[], Operand *in_operands, int n_out, const Type out[],
               Operand *out_operands);
size_t call_scratch(const Kernel *kernel, const Call *call); /* bytes; 0: none */
double call_bytes(const Kernel *kernel, const Call *call);   /* read and written */
double call_cost(const Kernel *kernel, const Call *call); /* nanoseconds on one thread */
int call_phases(const Kernel *kernel);
/* At least 1; or 0: the phase is left out. */
int64_t call_parts(const Kernel *kernel, const Call *call, int phase);

#endif
