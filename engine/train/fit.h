/* The training loop. It draws batches from sources, runs plans, and tells a host what
 * happens; it knows no Lua. The host (script/fit.c) finds the hooks, makes plans, and
 * holds the model.
 *
 *     Fit fit = {.host = &host, .context = me, .first_epoch = 1, .last_epoch = 5};
 *     fit.part[FIT_TRAIN].source = source;
 *     if (!fit_train(&fit, &err)) ...               // fit.outcome says how it ended
 *     fit_release(&fit);                            // sources are the caller's
 *
 * The order of events is Keras's: metrics are reset, epoch begin, for every batch
 * (begin, step, end), validation, epoch end. A wish to stop is looked at after a batch
 * and after an epoch's end; an interrupt (Ctrl-C) after a batch, and it ends the run
 * without the epoch's end. So do data that have no batch for an epoch. Errors unwind by
 * return values; a plan that fails has changed no variable, so the model is always left
 * as after a whole step.
 *
 * A run may go on at any batch of any epoch: with `moved` set before it begins (a run
 * that was cut short), or by a hook (one that goes back to a former state), which ends
 * the batch, the evaluation and the epoch in which that hook was called. The data are
 * put there by drawing; the model and the callbacks are the host's. */
#ifndef CDL_TRAIN_FIT_H
#define CDL_TRAIN_FIT_H
#include "data/source.h"
#include "plan/plan.h"
#include "train/collect.h"
#include "train/hooks.h"

typedef enum FitMode { FIT_TRAIN, FIT_TEST, FIT_PREDICT, FIT_MODES } FitMode;
typedef enum FitOutcome {
    FIT_COMPLETED,
    FIT_STOPPED,
    FIT_INTERRUPTED,
    FIT_FAILED
} FitOutcome;

enum { FIT_PLANS = 8 }; /* batch shapes whose plans a run keeps at hand, per mode */

typedef struct FitPlan {
    Plan *plan;
    int parts;
    Type *type; /* of the batch's parts */
} FitPlan;

/* What a mode runs on. */
typedef struct FitPart {
    Source *source;
    int64_t steps; /* batches in an epoch or evaluation; 0: a whole pass */
    int64_t drawn; /* batches that the pass has given */
    bool goes_on;  /* the epoch or evaluation began inside a pass */
    FitPlan plan[FIT_PLANS];
    int plans, last; /* how many, and the one used last */
} FitPart;

/* Where a run goes on: behind so many batches of an epoch. drawn: batches that the pass
 * over the training data has given by then; pass 0: none has begun. */
typedef struct FitPlace {
    int64_t epoch, batch, pass, drawn;
} FitPlace;

typedef struct Fit Fit;

/* What the loop asks of its host. Functions that return false have set err. */
typedef struct FitHost {
    /* Calls a hook that somebody has. number: epoch or batch; text: for hooks that
     * take one. May set fit->stop. For exception and exit it calls all, whatever one
     * of them does. */
    bool (*hook)(Fit *fit, Hook hook, int64_t number, const char *text, Err *err);
    bool (*lookup)(Fit *fit, Err *err); /* sets fit->hooks */
    /* A plan for the batch's shapes; the host keeps it alive as plan number `slot` of
     * the mode. */
    Plan *(*plan)(Fit *fit, FitMode mode, const Batch *batch, int slot, Err *err);
    bool (*reset)(Fit *fit, FitMode mode, Err *err); /* zeroes the mode's metrics */
    bool (*epoch)(Fit *fit, Err *err); /* an epoch is over: keep its metrics */
    /* All hooks have heard of the end of that epoch, or of the run's begin before the
     * next one: the state to which the run may go back. */
    bool (*border)(Fit *fit, int64_t epoch, Err *err);
    bool (*finish)(Fit *fit, Err *err); /* the last epoch is over, train_end comes */
    bool (*begin)(Fit *fit, FitMode mode, Err *err); /* takes back an old wish to stop */
    bool (*interrupted)(void);                       /* a signal waits; cheap */
    void (*interrupt_seen)(Fit *fit); /* training ends because of it, in good order */
} FitHost;

struct Fit {
    const FitHost *host;
    void *context;
    FitPart part[FIT_MODES]; /* FIT_TEST: validation, when it has a source */
    int64_t first_epoch, last_epoch;
    /* Validation runs in every n-th epoch, or in the listed ones when there is a list. */
    int64_t validation_every;
    int n_validation;
    const int64_t *validation_epochs;

    /* Where the loop is, for the host. */
    uint32_t hooks;
    bool stop[FIT_MODES];
    bool validated;       /* in this epoch */
    int64_t epoch, batch; /* batch: the one that is drawn or runs, or was the last */
    int64_t batch_rows;   /* of the batch that ran last */
    int64_t pass;         /* over the training data */
    bool moved;           /* the run goes on at `place`, which takes this back */
    FitPlace place;
    int64_t done; /* batches of this epoch that were done when the run was moved to it */
    FitOutcome outcome;
    Collect collect; /* what predict gives */
    bool warned;     /* that the data ran out */
};

bool fit_train(Fit *fit, Err *err);
bool fit_test(Fit *fit, Err *err);    /* evaluate */
bool fit_predict(Fit *fit, Err *err); /* fills fit->collect */
void fit_release(Fit *fit);

const char *fit_outcome_name(FitOutcome outcome); /* "completed", "stop_training", ... */

#endif
