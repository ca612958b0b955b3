/* class_weight as sample weights: one float32 per sample, looked up by the sample's
 * class once before training. Classes without an entry weigh 1. */
#ifndef CDL_DATA_CLASS_WEIGHT_H
#define CDL_DATA_CLASS_WEIGHT_H
#include "tensor/tensor.h"

typedef struct ClassWeight {
    int64_t label;
    double weight;
} ClassWeight;

/* y holds labels, {n} or {n, 1}, rounded to integers, or one-hot rows {n, classes} whose
 * largest entry names the class. *out becomes a new tensor {n}. */
bool class_weight_apply(const Tensor *y, int n, const ClassWeight weight[], Tensor *out,
                        Err *err);

#endif
