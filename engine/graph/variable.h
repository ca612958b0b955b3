/* Variables: named values that live on between steps. A Variable belongs to a layer, an
 * optimizer, a metric or the user, and outlives every plan; plans borrow its memory, whose
 * address never changes. Counted; main thread only. */
#ifndef CDL_GRAPH_VARIABLE_H
#define CDL_GRAPH_VARIABLE_H
#include "tensor/tensor.h"

typedef struct Variable {
    uint64_t id; /* unique in the process */
    char *path;  /* "sequential/dense/kernel"; owned */
    bool trainable;
    int references;
    Tensor value; /* contiguous, its own buffer */
} Variable;

/* A variable with a copy of value. */
Variable *variable_new(const char *path, const Tensor *value, bool trainable, Err *err);
Variable *variable_retain(Variable *variable);
void variable_release(Variable *variable);
/* Copies in; the shape must be the variable's, the dtype is cast. */
bool variable_assign(Variable *variable, const Tensor *value, Err *err);

#endif
