#include "train/fit.h"
#include <stdio.h>
#include "base/log.h"
#include "train/step.h"

/* Calls a hook. One that fails while a signal waits has been interrupted: the run ends
 * as the signal asks, without an error. */
static bool call_hook(Fit *fit, Hook hook, int64_t number, Err *err) {
    if (!(fit->hooks & hook_bit(hook))) return true;
    Err failure = {0};
    if (fit->host->hook(fit, hook, number, NULL, &failure)) return true;
    if (fit->host->interrupted()) {
        fit->outcome = FIT_INTERRUPTED;
        return true;
    }
    return err_set_at(err, failure.where, "%s", failure.text);
}

static bool interrupted(const Fit *fit) { return fit->outcome == FIT_INTERRUPTED; }

/* What is going on ends here: the run is over, or it goes on elsewhere. */
static bool broken_off(const Fit *fit) { return interrupted(fit) || fit->moved; }

static const Hook batch_begin[FIT_MODES] = {HOOK_train_batch_begin, HOOK_test_batch_begin,
                                            HOOK_predict_batch_begin};
static const Hook batch_end[FIT_MODES] = {HOOK_train_batch_end, HOOK_test_batch_end,
                                          HOOK_predict_batch_end};

/* Rows that predict will give, as far as is known when its first batch is there. */
static int64_t expected_rows(const FitPart *part, int64_t batch_rows) {
    int64_t all = part->source->rows, steps = part->steps;
    if (steps > 0 && (all < 0 || steps < all / batch_rows)) return steps * batch_rows;
    return all;
}

static bool run_batch(Fit *fit, FitMode mode, const Batch *batch, Err *err) {
    if (!call_hook(fit, batch_begin[mode], fit->batch, err)) return false;
    if (broken_off(fit)) return true;
    Plan *plan = step_run(fit, mode, batch, err);
    if (!plan) return false;
    fit->batch_rows = batch->rows;
    if (mode == FIT_PREDICT &&
        !collect_add(&fit->collect, plan, batch->rows,
                     expected_rows(&fit->part[mode], batch->rows), err))
        return false;
    return call_hook(fit, batch_end[mode], fit->batch, err);
}

static void warn_ran_out(Fit *fit, FitMode mode, int64_t batches) {
    long long steps = (long long)fit->part[mode].steps, done = (long long)batches;
    if (fit->warned) return;
    fit->warned = true;
    if (mode == FIT_TRAIN)
        log_warning("fit: the data ran out after %lld of %lld steps in epoch %lld; the "
                    "epoch ends "
                    "there and the next one starts the data anew",
                    done, steps, (long long)fit->epoch);
    else
        log_warning("%s: the data ran out after %lld of %lld steps",
                    mode == FIT_TEST ? "evaluation" : "predict", done, steps);
}

/* The next batch. Where the first one of an epoch or evaluation is wanted and the pass
 * that goes on turns out to be over, a new pass begins. */
static SourceState next_batch(Fit *fit, FitMode mode, Batch *batch, Err *err) {
    FitPart *part = &fit->part[mode];
    SourceState state = source_next(part->source, batch, err);
    if (state == SOURCE_BATCH) part->drawn++;
    if (state != SOURCE_END || fit->batch > 1 || !part->goes_on) return state;
    if (mode == FIT_TRAIN) fit->pass++;
    part->drawn = 0;
    if (!source_start(part->source, mode == FIT_TRAIN ? fit->pass : 1, err))
        return SOURCE_ERROR;
    state = source_next(part->source, batch, err);
    if (state == SOURCE_BATCH) part->drawn++;
    return state;
}

/* The same. Script code that draws and fails while a signal waits has been interrupted,
 * as with hooks. */
static SourceState draw(Fit *fit, FitMode mode, Batch *batch, Err *err) {
    Err failure = {0};
    SourceState state = next_batch(fit, mode, batch, &failure);
    if (state != SOURCE_ERROR) return state;
    if (fit->host->interrupted())
        fit->outcome = FIT_INTERRUPTED;
    else
        err_set_at(err, failure.where, "%s", failure.text);
    return state;
}

/* Batches until the part's steps are done, the data end, or somebody stops it.
 * fit->batch is the number of the last one, 0 when there was none. */
static bool run_batches(Fit *fit, FitMode mode, Err *err) {
    FitPart *part = &fit->part[mode];
    fit->batch = mode == FIT_TRAIN ? fit->done : 0;
    if (fit->batch > 0 && fit->stop[mode]) return true;
    for (int64_t k = fit->batch + 1; part->steps == 0 || k <= part->steps; k++) {
        Batch batch;
        fit->batch = k;
        SourceState state = draw(fit, mode, &batch, err);
        if (state == SOURCE_ERROR) return interrupted(fit);
        if (state == SOURCE_END) {
            fit->batch = k - 1;
            if (part->steps > 0 && k > 1) warn_ran_out(fit, mode, k - 1);
            return true;
        }
        if (!run_batch(fit, mode, &batch, err)) return false;
        if (broken_off(fit) || fit->stop[mode]) return true;
        if (fit->host->interrupted()) {
            fit->outcome = FIT_INTERRUPTED;
            return true;
        }
    }
    return true;
}

/* Begins a pass. A source that cannot begin anew goes on instead. */
static bool start_pass(Fit *fit, FitMode mode, int64_t pass, Err *err) {
    FitPart *part = &fit->part[mode];
    part->goes_on = !source_ended(part->source);
    part->drawn = 0;
    return source_start(part->source, pass, err);
}

/* Metrics of no batch at all are none: the evaluation counts as not done. */
static bool evaluate(Fit *fit, Err *err) {
    const FitHost *host = fit->host;
    if (!host->begin(fit, FIT_TEST, err)) return false;
    if (!call_hook(fit, HOOK_test_begin, 0, err)) return false;
    if (broken_off(fit)) return true;
    if (!host->reset(fit, FIT_TEST, err)) return false;
    if (!start_pass(fit, FIT_TEST, 1, err)) return false;
    if (!run_batches(fit, FIT_TEST, err)) return false;
    if (broken_off(fit)) return true;
    fit->validated = fit->batch > 0;
    if (fit->validated) return call_hook(fit, HOOK_test_end, 0, err);
    log_warning("fit: the validation data gave no batch in epoch %lld, so it has no "
                "validation metrics (cdl.data.from_generator makes data that begin "
                "anew each time)",
                (long long)fit->epoch);
    return true;
}

static bool wants_validation(const Fit *fit) {
    if (!fit->part[FIT_TEST].source) return false;
    if (!fit->validation_epochs)
        return fit->validation_every > 0 && fit->epoch % fit->validation_every == 0;
    for (int i = 0; i < fit->n_validation; i++)
        if (fit->validation_epochs[i] == fit->epoch) return true;
    return false;
}

/* Without a number of steps an epoch is a pass. With one, the data go on where the
 * last epoch left them; so they do within an epoch that a run was moved to. */
static bool start_data(Fit *fit, Err *err) {
    FitPart *part = &fit->part[FIT_TRAIN];
    if (fit->done > 0) return true;
    if (part->steps > 0 && fit->pass > 0 && !source_ended(part->source)) {
        part->goes_on = true;
        return true;
    }
    fit->pass = part->steps > 0 ? fit->pass + 1 : fit->epoch;
    return start_pass(fit, FIT_TRAIN, fit->pass, err);
}

/* Takes the run to its place. Within a pass it draws again what that pass has given
 * already. */
static bool go_to_place(Fit *fit, Err *err) {
    FitPart *part = &fit->part[FIT_TRAIN];
    Batch batch;
    fit->moved = false;
    fit->epoch = fit->place.epoch;
    fit->done = fit->place.batch;
    fit->pass = fit->place.pass;
    fit->batch = 0;
    if (fit->pass == 0 || (part->steps == 0 && fit->done == 0)) return true;
    if (!start_pass(fit, FIT_TRAIN, fit->pass, err)) return false;
    part->goes_on = false; /* a pass that is shorter now ends, and none begins */
    while (part->drawn < fit->place.drawn) {
        SourceState state = draw(fit, FIT_TRAIN, &batch, err);
        if (state == SOURCE_ERROR) return interrupted(fit);
        if (state == SOURCE_END) break;
    }
    return true;
}

/* The data have nothing more to give: the run ends as if the last epoch had been the
 * one to stop at. */
static void stop_without_data(Fit *fit) {
    log_warning("fit: the data gave no batch in epoch %lld; training stops there "
                "(cdl.data.from_generator makes data that begin anew with each epoch)",
                (long long)fit->epoch);
    fit->stop[FIT_TRAIN] = true;
}

static bool run_epoch(Fit *fit, Err *err) {
    const FitHost *host = fit->host;
    if (!host->lookup(fit, err) || !host->reset(fit, FIT_TRAIN, err)) return false;
    fit->batch = 0;
    fit->validated = false;
    if (!call_hook(fit, HOOK_epoch_begin, fit->epoch, err)) return false;
    if (broken_off(fit)) return true;
    if (!start_data(fit, err) || !run_batches(fit, FIT_TRAIN, err)) return false;
    if (broken_off(fit)) return true;
    if (fit->batch == 0) {
        stop_without_data(fit);
        return true;
    }
    if (wants_validation(fit)) {
        if (!evaluate(fit, err)) return false;
        if (broken_off(fit)) return true;
    }
    return host->epoch(fit, err) && call_hook(fit, HOOK_epoch_end, fit->epoch, err);
}

/* The run is between two epochs. */
static bool reach_border(Fit *fit, int64_t epoch, Err *err) {
    return interrupted(fit) || fit->host->border(fit, epoch, err);
}

static bool run_epochs(Fit *fit, Err *err) {
    fit->epoch = fit->first_epoch;
    /* A run that is continued after the epoch at which it was told to stop. */
    bool over = fit->first_epoch > fit->last_epoch && fit->stop[FIT_TRAIN];
    if (over && !interrupted(fit)) fit->outcome = FIT_STOPPED;
    bool began = true;
    while (!interrupted(fit)) {
        began |= fit->moved;
        if (fit->moved && !go_to_place(fit, err)) return false;
        if (began && fit->done == 0 && !reach_border(fit, fit->epoch - 1, err))
            return false;
        began = false;
        if (interrupted(fit) || fit->epoch > fit->last_epoch) break;
        if (!run_epoch(fit, err)) return false;
        if (fit->moved) continue;
        if (!reach_border(fit, fit->epoch, err)) return false;
        if (fit->stop[FIT_TRAIN]) {
            if (!interrupted(fit)) fit->outcome = FIT_STOPPED;
            break;
        }
        fit->epoch++;
        fit->done = 0;
    }
    return true;
}

static bool train(Fit *fit, Err *err) {
    if (!fit->host->begin(fit, FIT_TRAIN, err) || !fit->host->lookup(fit, err))
        return false;
    if (!call_hook(fit, HOOK_train_begin, 0, err) || !run_epochs(fit, err)) return false;
    if (interrupted(fit)) fit->host->interrupt_seen(fit);
    if (fit->last_epoch > 0 && !fit->host->finish(fit, err)) return false;
    FitOutcome outcome = fit->outcome;
    bool ok = call_hook(fit, HOOK_train_end, 0, err);
    if (outcome != FIT_INTERRUPTED && interrupted(fit)) fit->host->interrupt_seen(fit);
    return ok;
}

static void tell_exception(Fit *fit, const Err *failure) {
    char text[sizeof failure->where + sizeof failure->text + 2];
    if (!(fit->hooks & hook_bit(HOOK_exception))) return;
    const char *colon = failure->where[0] ? ": " : "";
    snprintf(text, sizeof text, "%s%s%s", failure->where, colon, failure->text);
    fit->host->hook(fit, HOOK_exception, 0, text, NULL);
}

bool fit_train(Fit *fit, Err *err) {
    Err failure = {0};
    fit->outcome = FIT_COMPLETED;
    bool ok = train(fit, &failure);
    if (!ok) {
        fit->outcome = FIT_FAILED;
        tell_exception(fit, &failure);
    }
    if (fit->hooks & hook_bit(HOOK_exit)) {
        Err last = {0};
        if (!fit->host->hook(fit, HOOK_exit, 0, fit_outcome_name(fit->outcome), &last) &&
            ok) {
            ok = false;
            failure = last;
        }
    }
    return ok || err_set_at(err, failure.where, "%s", failure.text);
}

/* evaluate and predict have no result to give when they are cut short by a signal. Who
 * changed something for their duration hears of it by the exception hook. */
static bool finish(Fit *fit, bool ok, Err *failure, Err *err) {
    if (ok && !interrupted(fit)) return true;
    if (ok)
        err_set(failure, "interrupted");
    else
        fit->outcome = FIT_FAILED;
    tell_exception(fit, failure);
    return err_set_at(err, failure->where, "%s", failure->text);
}

bool fit_test(Fit *fit, Err *err) {
    fit->outcome = FIT_COMPLETED;
    Err failure = {0};
    bool ok = fit->host->lookup(fit, &failure) && evaluate(fit, &failure);
    return finish(fit, ok, &failure, err);
}

static bool predict(Fit *fit, Err *err) {
    if (!fit->host->begin(fit, FIT_PREDICT, err) || !fit->host->lookup(fit, err))
        return false;
    if (!call_hook(fit, HOOK_predict_begin, 0, err)) return false;
    if (interrupted(fit)) return true;
    if (!start_pass(fit, FIT_PREDICT, 1, err)) return false;
    if (!run_batches(fit, FIT_PREDICT, err)) return false;
    if (interrupted(fit)) return true;
    return collect_finish(&fit->collect, err) && call_hook(fit, HOOK_predict_end, 0, err);
}

bool fit_predict(Fit *fit, Err *err) {
    fit->outcome = FIT_COMPLETED;
    Err failure = {0};
    bool ok = predict(fit, &failure);
    return finish(fit, ok, &failure, err);
}

const char *fit_outcome_name(FitOutcome outcome) {
    static const char *const names[] = {"completed", "stop_training", "interrupted",
                                        "error"};
    return names[outcome];
}

void fit_release(Fit *fit) {
    step_release(fit);
    collect_release(&fit->collect);
}
