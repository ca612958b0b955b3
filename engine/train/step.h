/* One step: the plan for the batch's shapes is found (or asked for, the first time
 * that a shape comes), its ports are bound, and it runs. Nothing is allocated for
 * shapes seen before. */
#ifndef CDL_TRAIN_STEP_H
#define CDL_TRAIN_STEP_H
#include "train/fit.h"

/* The plan that ran, whose outputs may be read until its next run; NULL: err is set. */
Plan *step_run(Fit *fit, FitMode mode, const Batch *batch, Err *err);
void step_release(Fit *fit);

enum { STEP_PLACE = 80 };
/* "epoch 1, batch 2", or "evaluation, batch 2"; "" outside of batches. */
const char *step_place(const Fit *fit, FitMode mode, char text[STEP_PLACE]);

#endif
