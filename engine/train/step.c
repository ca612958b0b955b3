#include "train/step.h"
#include <stdio.h>
#include "base/mem.h"

static bool fits(const FitPlan *known, const Batch *batch) {
    if (known->parts != batch->parts) return false;
    for (int i = 0; i < batch->parts; i++)
        if (known->type[i].dtype != batch->part[i].dtype ||
            !shape_equal(&known->type[i].shape, &batch->part[i].shape))
            return false;
    return true;
}

/* Asks the host for a plan; where there is no room for one more, it takes the place
 * behind the one that was used last. */
static Plan *learn(Fit *fit, FitMode mode, const Batch *batch, Err *err) {
    FitPart *part = &fit->part[mode];
    int slot = part->plans < FIT_PLANS ? part->plans : (part->last + 1) % FIT_PLANS;
    Type *type = mem_alloc((size_t)(batch->parts ? batch->parts : 1) * sizeof *type);
    if (!type) {
        err_set(err, "out of memory for a batch of %d arrays", batch->parts);
        return NULL;
    }
    for (int i = 0; i < batch->parts; i++)
        type[i] = (Type){batch->part[i].dtype, batch->part[i].shape};
    Plan *plan = fit->host->plan(fit, mode, batch, slot, err);
    if (!plan) {
        mem_free(type);
        return NULL;
    }
    if (slot < part->plans)
        mem_free(part->plan[slot].type);
    else
        part->plans++;
    part->plan[slot] = (FitPlan){plan, batch->parts, type};
    part->last = slot;
    return plan;
}

static Plan *find(Fit *fit, FitMode mode, const Batch *batch, Err *err) {
    FitPart *part = &fit->part[mode];
    if (part->plans && fits(&part->plan[part->last], batch))
        return part->plan[part->last].plan;
    for (int i = 0; i < part->plans; i++)
        if (fits(&part->plan[i], batch)) return part->plan[part->last = i].plan;
    return learn(fit, mode, batch, err);
}

const char *step_place(const Fit *fit, FitMode mode, char text[STEP_PLACE]) {
    long long epoch = (long long)fit->epoch, batch = (long long)fit->batch;
    text[0] = 0;
    if (batch > 0 && mode == FIT_TRAIN)
        snprintf(text, STEP_PLACE, "epoch %lld, batch %lld", epoch, batch);
    else if (batch > 0)
        snprintf(text, STEP_PLACE, "%s, batch %lld",
                 mode == FIT_TEST ? "evaluation" : "predict", batch);
    return text;
}

/* An error that the data caused is more use with the place in the run. */
static void report(const Fit *fit, FitMode mode, const Err *failure, Err *err) {
    char place[STEP_PLACE];
    if (step_place(fit, mode, place)[0])
        err_set_at(err, failure->where, "%s (%s)", failure->text, place);
    else
        err_set_at(err, failure->where, "%s", failure->text);
}

Plan *step_run(Fit *fit, FitMode mode, const Batch *batch, Err *err) {
    Plan *plan = find(fit, mode, batch, err);
    if (!plan) return NULL;
    for (int i = 0; i < batch->parts; i++) {
        const BatchPart *part = &batch->part[i];
        if (part->rows)
            plan_bind_rows(plan, i, part->base, part->rows);
        else
            plan_bind(plan, i, part->base);
    }
    Err failure = {0};
    if (plan_run(plan, &failure)) return plan;
    report(fit, mode, &failure, err);
    return NULL;
}

void step_release(Fit *fit) {
    for (int mode = 0; mode < FIT_MODES; mode++) {
        FitPart *part = &fit->part[mode];
        for (int i = 0; i < part->plans; i++) mem_free(part->plan[i].type);
        part->plans = 0;
    }
}
