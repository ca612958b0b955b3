/* The loop with a host in C: a model whose step adds the batch's values to a variable. */
#include "test.h"
#include <stdarg.h>
#include <stdlib.h>
#include "base/log.h"
#include "base/mem.h"
#include "data/tensor_source.h"
#include "train/fit.h"

typedef struct Host {
    char events[4096];
    Variable *sum;
    Plan *plans[FIT_MODES][FIT_PLANS];
    int asked, lookups, resets, finished;
    Hook stop_at; /* with stop_number: the event at which a hook wishes to stop */
    int64_t stop_number;
    Hook fail_at;
    int64_t fail_number;
    Hook move_at; /* the event at which a hook moves the run, once */
    int64_t move_number;
    FitPlace place;
    bool fail_plan, note_borders;
    uint32_t hooks;
} Host;

static Host host_state;
static int interrupt_after = -1; /* batches until a signal comes */
static int seen;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...) {
    size_t used = strlen(host_state.events);
    va_list args;
    va_start(args, format);
    vsnprintf(host_state.events + used, sizeof host_state.events - used, format, args);
    va_end(args);
}

static bool hook(Fit *fit, Hook which, int64_t number, const char *text, Err *err) {
    Host *host = fit->context;
    const HookDef *def = &hook_table[which];
    if (def->arguments == HOOK_NUMBER)
        note("%s(%d) ", def->name + 3, (int)number);
    else if (def->arguments == HOOK_TEXT)
        note("%s(%s) ", def->name + 3, text);
    else
        note("%s ", def->name + 3);
    if (which == host->stop_at && number == host->stop_number) {
        fit->stop[which == HOOK_test_batch_end ? FIT_TEST : FIT_TRAIN] = true;
        if (which == HOOK_predict_batch_end) fit->stop[FIT_PREDICT] = true;
    }
    if (which == host->move_at && number == host->move_number) {
        fit->moved = true;
        fit->place = host->place;
        host->move_at = HOOK_COUNT;
    }
    if (which == host->fail_at && number == host->fail_number)
        return err_set_at(err, "script.lua:3", "boom");
    return true;
}

static bool lookup(Fit *fit, Err *err) {
    Host *host = fit->context;
    host->lookups++;
    fit->hooks = host->hooks;
    return true;
}

static Plan *new_plan(FitMode mode, const Batch *batch, Err *err) {
    Graph *graph = graph_new();
    Type type = {batch->part[0].dtype, batch->part[0].shape};
    NodeId x = graph_input(graph, 0, type);
    Plan *plan;
    if (mode == FIT_PREDICT) {
        NodeId twice = graph_scale(graph, x, 2);
        plan = plan_new(graph, 1, 1, &twice, 0, NULL, err);
    } else {
        NodeId old = graph_variable(graph, host_state.sum);
        NodeId sum = graph_op2(graph, OP_add, old, graph_sum(graph, x, 3, false));
        PlanStore store = {host_state.sum, sum};
        plan = plan_new(graph, 1, 0, NULL, 1, &store, err);
    }
    graph_free(graph);
    return plan;
}

static Plan *ask_plan(Fit *fit, FitMode mode, const Batch *batch, int slot, Err *err) {
    Host *host = fit->context;
    host->asked++;
    if (host->fail_plan) {
        err_set(err, "no plan");
        return NULL;
    }
    plan_free(host->plans[mode][slot]);
    return host->plans[mode][slot] = new_plan(mode, batch, err);
}

static bool reset(Fit *fit, FitMode mode, Err *err) {
    ((Host *)fit->context)->resets++;
    return true;
}

static bool epoch(Fit *fit, Err *err) {
    note(fit->validated ? "[val] " : "[] ");
    return true;
}

static bool border(Fit *fit, int64_t after, Err *err) {
    if (host_state.note_borders) note("|%d| ", (int)after);
    return true;
}

static bool begin(Fit *fit, FitMode mode, Err *err) {
    fit->stop[mode] = false;
    return true;
}

static bool interrupted(void) { return interrupt_after >= 0 && interrupt_after-- == 0; }

static void interrupt_seen(Fit *fit) { seen++; }

/* Comes once, before train_end. */
static bool finished(Fit *fit, Err *err) {
    Host *host = fit->context;
    CHECK(!strstr(host->events, "train_end"));
    host->finished++;
    return true;
}

static const FitHost host_calls = {.hook = hook,
                                   .lookup = lookup,
                                   .plan = ask_plan,
                                   .reset = reset,
                                   .epoch = epoch,
                                   .border = border,
                                   .finish = finished,
                                   .begin = begin,
                                   .interrupted = interrupted,
                                   .interrupt_seen = interrupt_seen};

/* A fit on `rows` numbers 1, 2, 3, ... with all hooks. */
static Fit start(int64_t rows, TensorSourceOptions options) {
    Tensor zero = {0};
    memset(&host_state, 0, sizeof host_state);
    host_state.stop_at = host_state.fail_at = host_state.move_at = HOOK_COUNT;
    host_state.hooks = UINT32_MAX >> (32 - HOOK_COUNT);
    interrupt_after = -1;
    seen = 0;
    tensor_zero(&zero, DTYPE_FLOAT32, shape_of(0), NULL);
    host_state.sum = variable_new("sum", &zero, false, NULL);
    tensor_release(&zero);
    Fit fit = {.host = &host_calls,
               .context = &host_state,
               .first_epoch = 1,
               .last_epoch = 1,
               .validation_every = 1};
    Tensor x = {0};
    tensor_new(&x, DTYPE_FLOAT32, shape_of(2, rows, (int64_t)1), NULL);
    for (int64_t i = 0; i < rows; i++) ((float *)x.data)[i] = (float)(i + 1);
    for (int mode = 0; mode < FIT_MODES; mode++)
        fit.part[mode].source = tensor_source_new(1, &x, options, NULL);
    tensor_release(&x);
    return fit;
}

static void without_validation(Fit *fit) {
    source_free(fit->part[FIT_TEST].source);
    fit->part[FIT_TEST].source = NULL;
}

static float sum_now(void) { return *(float *)host_state.sum->value.data; }

static void finish(Fit *fit) {
    fit_release(fit);
    for (int mode = 0; mode < FIT_MODES; mode++) {
        source_free(fit->part[mode].source);
        for (int i = 0; i < FIT_PLANS; i++) plan_free(host_state.plans[mode][i]);
    }
    variable_release(host_state.sum);
}

static const TensorSourceOptions twos = {.batch = 2};

static void events_in_order(void) {
    Fit fit = start(4, twos);
    Err err = {0};
    fit.part[FIT_TEST].steps = 1;
    CHECK(fit_train(&fit, &err));
    CHECK(fit.outcome == FIT_COMPLETED);
    CHECK(strcmp(host_state.events,
                 "train_begin epoch_begin(1) train_batch_begin(1) train_batch_end(1) "
                 "train_batch_begin(2) train_batch_end(2) test_begin test_batch_begin(1) "
                 "test_batch_end(1) test_end [val] epoch_end(1) train_end "
                 "exit(completed) ") == 0);
    CHECK(sum_now() == 10 + 3); /* all training rows once, two rows of validation */
    CHECK(host_state.lookups == 2 && host_state.resets == 2);
    CHECK(host_state.finished == 1);
    finish(&fit);
}

/* A run that goes on within a pass: the batches that the pass has given come no more. */
static void goes_on_within_a_pass(void) {
    TensorSourceOptions shuffled = {.batch = 2, .shuffle = SHUFFLE_ROWS, .seed = 5};
    Fit whole = start(12, shuffled);
    without_validation(&whole);
    whole.part[FIT_TRAIN].steps = 4;
    whole.last_epoch = 4;
    CHECK(fit_train(&whole, NULL));
    float sum = sum_now();
    CHECK(whole.pass == 2 && whole.part[FIT_TRAIN].drawn == 6);
    finish(&whole);

    Fit first = start(12, shuffled);
    without_validation(&first);
    first.part[FIT_TRAIN].steps = 4;
    first.last_epoch = 1;
    CHECK(fit_train(&first, NULL));
    float begun = sum_now();
    int64_t pass = first.pass, drawn = first.part[FIT_TRAIN].drawn;
    CHECK(pass == 1 && drawn == 4);
    finish(&first);

    Fit rest = start(12, shuffled);
    without_validation(&rest);
    rest.part[FIT_TRAIN].steps = 4;
    rest.last_epoch = 4;
    rest.moved = true;
    rest.place = (FitPlace){.epoch = 2, .pass = pass, .drawn = drawn};
    CHECK(fit_train(&rest, NULL));
    CHECK(begun + sum_now() == sum);
    CHECK(rest.pass == 2 && rest.part[FIT_TRAIN].drawn == 6);
    finish(&rest);
}

/* A run that goes on within an epoch, and one that a hook takes back. */
static void is_moved(void) {
    Fit fit = start(6, twos);
    without_validation(&fit);
    fit.last_epoch = 3;
    fit.moved = true;
    fit.place = (FitPlace){.epoch = 2, .batch = 2, .pass = 2, .drawn = 2};
    host_state.hooks = hook_bit(HOOK_train_batch_end) | hook_bit(HOOK_epoch_begin) |
                       hook_bit(HOOK_epoch_end);
    host_state.note_borders = true;
    host_state.move_at = HOOK_train_batch_end;
    host_state.move_number = 1;
    host_state.place = (FitPlace){.epoch = 3, .pass = 2, .drawn = 3};
    CHECK(fit_train(&fit, NULL));
    CHECK(strcmp(host_state.events,
                 "epoch_begin(2) train_batch_end(3) [] epoch_end(2) |2| "
                 "epoch_begin(3) train_batch_end(1) |2| "
                 "epoch_begin(3) train_batch_end(1) train_batch_end(2) "
                 "train_batch_end(3) [] epoch_end(3) |3| ") == 0);
    CHECK(sum_now() == 5 + 6 + 1 + 2 + 21);
    finish(&fit);
}

/* A run that goes on behind the epoch at which it was told to stop. */
static void stays_stopped(void) {
    Fit fit = start(4, twos);
    fit.first_epoch = 5;
    fit.last_epoch = 4;
    host_state.stop_at = HOOK_train_begin;
    host_state.stop_number = 0;
    CHECK(fit_train(&fit, NULL));
    CHECK(fit.outcome == FIT_STOPPED);
    CHECK(strcmp(host_state.events, "train_begin train_end exit(stop_training) ") == 0);
    finish(&fit);
    fit = start(4, twos);
    fit.first_epoch = 5;
    fit.last_epoch = 4;
    CHECK(fit_train(&fit, NULL));
    CHECK(fit.outcome == FIT_COMPLETED && host_state.finished == 1);
    finish(&fit);
}

static void only_hooks_that_exist(void) {
    Fit fit = start(4, twos);
    host_state.hooks = hook_bit(HOOK_epoch_end);
    CHECK(fit_train(&fit, NULL));
    CHECK(strcmp(host_state.events, "[val] epoch_end(1) ") == 0);
    finish(&fit);
}

static void a_wish_to_stop(void) {
    Fit fit = start(8, twos);
    fit.last_epoch = 3;
    host_state.stop_at = HOOK_train_batch_end;
    host_state.stop_number = 2;
    CHECK(fit_train(&fit, NULL));
    CHECK(fit.outcome == FIT_STOPPED);
    CHECK_TEXT(host_state.events,
               "train_batch_end(2) test_begin"); /* validates all the same */
    CHECK_TEXT(host_state.events, "[val] epoch_end(1) train_end exit(stop_training) ");
    CHECK(!strstr(host_state.events, "train_batch_begin(3)"));
    finish(&fit);

    fit = start(8, twos);
    without_validation(&fit);
    host_state.hooks = hook_bit(HOOK_epoch_begin) | hook_bit(HOOK_train_batch_end);
    host_state.stop_at = HOOK_epoch_begin; /* still trains one batch */
    host_state.stop_number = 1;
    CHECK(fit_train(&fit, NULL));
    CHECK(strcmp(host_state.events, "epoch_begin(1) train_batch_end(1) [] ") == 0);
    finish(&fit);

    fit = start(8, twos);
    host_state.hooks = hook_bit(HOOK_test_batch_end) | hook_bit(HOOK_epoch_end);
    host_state.stop_at = HOOK_test_batch_end; /* ends the evaluation, not the training */
    host_state.stop_number = 3;
    fit.last_epoch = 2;
    CHECK(fit_train(&fit, NULL));
    CHECK_TEXT(host_state.events,
               "test_batch_end(3) [val] epoch_end(1) test_batch_end(1)");
    CHECK(!strstr(host_state.events, "test_batch_end(4)"));
    finish(&fit);
}

/* Batches of each of four epochs over ten batches. */
static void check_steps(int64_t steps, const int want[4]) {
    Fit fit = start(20, twos);
    int got[5] = {0};
    without_validation(&fit);
    fit.last_epoch = 4;
    fit.part[FIT_TRAIN].steps = steps;
    host_state.hooks = hook_bit(HOOK_epoch_begin) | hook_bit(HOOK_train_batch_end);
    log_enable(false);
    CHECK(fit_train(&fit, NULL));
    log_enable(true);
    int epoch_number = 0;
    for (char *at = host_state.events; (at = strstr(at, "_")); at++) {
        if (strncmp(at, "_begin(", 7) == 0)
            epoch_number++;
        else if (strncmp(at, "_end(", 5) == 0)
            got[epoch_number]++;
    }
    for (int i = 0; i < 4; i++) CHECK(got[i + 1] == want[i]);
    finish(&fit);
}

static void steps_go_on_over_epochs(void) {
    check_steps(0, (int[]){10, 10, 10, 10});
    check_steps(10, (int[]){10, 10, 10, 10});
    check_steps(5, (int[]){5, 5, 5, 5});
    check_steps(9, (int[]){9, 1, 9, 1});
    check_steps(11, (int[]){10, 10, 10, 10});
}

static void epochs_from_to(void) {
    Fit fit = start(2, twos);
    without_validation(&fit);
    fit.first_epoch = 3;
    fit.last_epoch = 4;
    host_state.hooks = hook_bit(HOOK_epoch_begin);
    CHECK(fit_train(&fit, NULL));
    CHECK(strcmp(host_state.events, "epoch_begin(3) [] epoch_begin(4) [] ") == 0);
    finish(&fit);

    fit = start(2, twos);
    fit.first_epoch = 2;
    CHECK(fit_train(&fit, NULL));
    CHECK(strcmp(host_state.events, "train_begin train_end exit(completed) ") == 0);
    finish(&fit);
}

static void validation_when_it_is_due(void) {
    Fit fit = start(2, twos);
    fit.last_epoch = 5;
    fit.validation_every = 2;
    host_state.hooks = hook_bit(HOOK_epoch_end);
    CHECK(fit_train(&fit, NULL));
    CHECK_TEXT(host_state.events,
               "[] epoch_end(1) [val] epoch_end(2) [] epoch_end(3) [val] epoch_end(4) "
               "[] epoch_end(5)");
    finish(&fit);

    fit = start(2, twos);
    fit.last_epoch = 4;
    fit.validation_epochs = (int64_t[]){1, 4};
    fit.n_validation = 2;
    host_state.hooks = hook_bit(HOOK_epoch_end);
    CHECK(fit_train(&fit, NULL));
    CHECK_TEXT(host_state.events,
               "[val] epoch_end(1) [] epoch_end(2) [] epoch_end(3) [val] epoch_end(4)");
    finish(&fit);
}

static void an_interrupt_ends_in_good_order(void) {
    Fit fit = start(8, twos);
    interrupt_after = 1;
    CHECK(fit_train(&fit, NULL));
    CHECK(fit.outcome == FIT_INTERRUPTED && seen == 1);
    CHECK_TEXT(host_state.events, "train_batch_end(2) train_end exit(interrupted) ");
    CHECK(!strstr(host_state.events, "epoch_end"));
    CHECK(sum_now() == 1 + 2 + 3 + 4);
    finish(&fit);

    /* A hook that fails while the signal waits was broken off: no error. */
    fit = start(8, twos);
    interrupt_after = 0;
    host_state.fail_at = HOOK_train_batch_end;
    host_state.fail_number = 1;
    Err err = {0};
    CHECK(fit_train(&fit, &err));
    CHECK(fit.outcome == FIT_INTERRUPTED && seen == 1 && !err.set);
    finish(&fit);

    /* evaluate has no result to give then. */
    fit = start(8, twos);
    interrupt_after = 1;
    CHECK(!fit_test(&fit, &err));
    CHECK_TEXT(err.text, "interrupted");
    CHECK(!strstr(host_state.events, "test_end"));
    finish(&fit);
}

static void an_error_in_a_hook(void) {
    Fit fit = start(8, twos);
    Err err = {0};
    host_state.fail_at = HOOK_train_batch_end;
    host_state.fail_number = 2;
    CHECK(!fit_train(&fit, &err));
    CHECK(strcmp(err.text, "boom") == 0 && strcmp(err.where, "script.lua:3") == 0);
    CHECK(fit.outcome == FIT_FAILED);
    CHECK_TEXT(host_state.events,
               "train_batch_end(2) exception(script.lua:3: boom) exit(error) ");
    CHECK(!strstr(host_state.events, "train_end"));
    CHECK(sum_now() == 1 + 2 + 3 + 4); /* the batch whose end hook failed is whole */
    finish(&fit);

    fit = start(8, twos);
    Err err2 = {0};
    host_state.fail_at = HOOK_exit; /* the last one is an error of the run */
    CHECK(!fit_train(&fit, &err2));
    CHECK_TEXT(err2.text, "boom");
    finish(&fit);
}

static void plans_by_shape(void) {
    Fit fit = start(5, twos);
    without_validation(&fit);
    fit.last_epoch = 3;
    CHECK(fit_train(&fit, NULL));
    CHECK(host_state.asked == 2); /* two rows and one row */
    CHECK(sum_now() == 3 * 15);
    finish(&fit);

    fit = start(4, twos);
    Err err = {0};
    host_state.fail_plan = true;
    CHECK(!fit_train(&fit, &err));
    CHECK_TEXT(err.text, "no plan");
    CHECK(sum_now() == 0);
    finish(&fit);
}

static void shuffled_epochs_hold_all_rows(void) {
    Fit fit = start(101, (TensorSourceOptions){
                             .batch = 8, .shuffle = SHUFFLE_ROWS, .seed = 5, .fit = 1});
    without_validation(&fit);
    fit.last_epoch = 2;
    CHECK(fit_train(&fit, NULL));
    CHECK(sum_now() == 2 * 101 * 102 / 2);
    finish(&fit);
}

static void predict_joins_batches(void) {
    Fit fit = start(5, twos);
    CHECK(fit_predict(&fit, NULL));
    CHECK(fit.collect.n == 1 && fit.collect.rows == 5);
    const Tensor *out = &fit.collect.output[0];
    CHECK(out->shape.ndim == 2 && out->shape.dim[0] == 5 && out->shape.dim[1] == 1);
    for (int i = 0; i < 5; i++) CHECK(((float *)out->data)[i] == 2.0f * (float)(i + 1));
    CHECK(strcmp(host_state.events, "predict_begin predict_batch_begin(1) "
                                    "predict_batch_end(1) predict_batch_begin(2) "
                                    "predict_batch_end(2) predict_batch_begin(3) "
                                    "predict_batch_end(3) predict_end ") == 0);
    finish(&fit);

    fit = start(50, twos);
    fit.part[FIT_PREDICT].steps = 20; /* stopped early: only the rows that came */
    host_state.stop_at = HOOK_predict_batch_end;
    host_state.stop_number = 3;
    CHECK(fit_predict(&fit, NULL));
    CHECK(fit.collect.output[0].shape.dim[0] == 6);
    Tensor tail;
    CHECK(collect_tail(&fit.collect, 0, 2, &tail, NULL));
    CHECK(tail.shape.dim[0] == 2 && ((float *)tail.data)[0] == 10);
    tensor_release(&tail);
    finish(&fit);
}

static void a_step_allocates_nothing(void) {
    Fit fit = start(64, twos);
    without_validation(&fit);
    host_state.hooks = 0;
    CHECK(fit_train(&fit, NULL)); /* the plan and the scratch memory are there now */
    uint64_t before = mem_allocations();
    CHECK(fit_train(&fit, NULL));
    CHECK(mem_allocations() == before);
    finish(&fit);
}

TEST_MAIN(events_in_order, only_hooks_that_exist, a_wish_to_stop, steps_go_on_over_epochs,
          epochs_from_to, validation_when_it_is_due, an_interrupt_ends_in_good_order,
          an_error_in_a_hook, plans_by_shape, shuffled_epochs_hold_all_rows,
          predict_joins_batches, a_step_allocates_nothing, goes_on_within_a_pass,
          is_moved, stays_stopped)
