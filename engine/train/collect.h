/* predict's result: the outputs of all batches one below the other.
 *
 *     Collect collect = {0};
 *     collect_add(&collect, plan, rows, expected, &err) ...  // after every run
 *     collect_finish(&collect, &err);                        // exactly the rows that came
 *     collect.output[k] ...
 *     collect_release(&collect); */
#ifndef CDL_TRAIN_COLLECT_H
#define CDL_TRAIN_COLLECT_H
#include "plan/plan.h"

typedef struct Collect {
    int n;
    Tensor *output;
    int64_t rows, room;
} Collect;

/* Appends the plan's outputs, whose first axis must be `rows`. expected: rows in all,
 * as far as known; the first call makes room for so many, and more room is made when
 * it is needed. */
bool collect_add(Collect *collect, const Plan *plan, int64_t rows, int64_t expected,
                 Err *err);
bool collect_finish(Collect *collect, Err *err);
/* A view of the last `rows` rows that came, of output k. */
bool collect_tail(const Collect *collect, int k, int64_t rows, Tensor *view, Err *err);
void collect_release(Collect *collect);

#endif
