/* The loop over sources whose length is not known: that end, go on, or begin anew. */
#include "test.h"
#include <stdarg.h>
#include "base/log.h"
#include "train/fit.h"

/* Gives batches of one number. Its passes have the lengths of the list; the last length
 * is that of all further ones. */
typedef struct Stream {
    Source source;
    const int *length;
    int lengths, pass, at, fail_at;
    bool restarts, ended;
    float value;
    BatchPart part;
} Stream;

static char events[2048];
static Plan *plans[FIT_MODES][FIT_PLANS];
static bool signal_waits;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...) {
    size_t used = strlen(events);
    va_list args;
    va_start(args, format);
    vsnprintf(events + used, sizeof events - used, format, args);
    va_end(args);
}

static bool stream_start(Source *source, int64_t pass, Err *err) {
    Stream *self = (Stream *)source;
    if (!self->restarts) return true;
    note("pass%d ", (int)pass);
    if (!self->ended && self->pass < self->lengths - 1) self->pass++;
    self->at = 0;
    return true;
}

static SourceState stream_next(Source *source, Batch *batch, Err *err) {
    Stream *self = (Stream *)source;
    if (self->fail_at && ++self->value == (float)self->fail_at) {
        err_set_at(err, "script.lua:7", "broken");
        return SOURCE_ERROR;
    }
    self->ended = self->at == self->length[self->pass];
    if (self->ended) {
        if (self->pass < self->lengths - 1) self->pass++;
        self->at = 0;
        note("end ");
        return SOURCE_END;
    }
    self->at++;
    *batch = (Batch){1, 1, &self->part};
    return SOURCE_BATCH;
}

static bool stream_ended(const Source *source) { return ((const Stream *)source)->ended; }
static void stream_free(Source *source) {}

static const SourceKind stream_kind = {stream_start, stream_next, stream_ended,
                                       stream_free};

static Stream new_stream(int n, const int length[], bool restarts) {
    return (Stream){.source = {&stream_kind, -1, -1},
                    .length = length,
                    .lengths = n,
                    .restarts = restarts,
                    .ended = true};
}

static bool hook(Fit *fit, Hook which, int64_t number, const char *text, Err *err) {
    if (which == HOOK_epoch_begin) note("epoch%d ", (int)number);
    if (which == HOOK_train_batch_end || which == HOOK_test_batch_end) note(". ");
    if (which == HOOK_test_begin) note("test ");
    if (which == HOOK_test_end) note("tested ");
    if (which == HOOK_epoch_end) note(fit->validated ? "done+ " : "done ");
    if (which == HOOK_train_end) note("train_end");
    return true;
}

static bool lookup(Fit *fit, Err *err) {
    fit->hooks = UINT32_MAX >> (32 - HOOK_COUNT);
    return true;
}

static Plan *make_plan(Fit *fit, FitMode mode, const Batch *batch, int slot, Err *err) {
    Graph *graph = graph_new();
    Type type = {batch->part[0].dtype, batch->part[0].shape};
    NodeId twice = graph_scale(graph, graph_input(graph, 0, type), 2);
    plans[mode][slot] = plan_new(graph, 1, 1, &twice, 0, NULL, err);
    graph_free(graph);
    return plans[mode][slot];
}

static bool fine(Fit *fit, Err *err) { return true; }
static bool fine_border(Fit *fit, int64_t epoch, Err *err) { return true; }
static bool fine_mode(Fit *fit, FitMode mode, Err *err) { return true; }
static bool interrupted(void) { return signal_waits; }
static void interrupt_seen(Fit *fit) { signal_waits = false; }

static const FitHost host = {.hook = hook,
                             .lookup = lookup,
                             .plan = make_plan,
                             .reset = fine_mode,
                             .epoch = fine,
                             .border = fine_border,
                             .finish = fine,
                             .begin = fine_mode,
                             .interrupted = interrupted,
                             .interrupt_seen = interrupt_seen};

/* Trains and gives the events. */
static const char *run(Fit *fit, Stream *train, Stream *test, Err *err) {
    events[0] = 0;
    Stream *streams[] = {train, test};
    for (int mode = FIT_TRAIN; mode <= FIT_TEST; mode++) {
        Stream *self = streams[mode];
        if (!self) continue;
        self->part = (BatchPart){&self->value, NULL, DTYPE_FLOAT32, shape_of(1, 1L)};
        fit->part[mode].source = &self->source;
    }
    fit->host = &host;
    fit->first_epoch = 1;
    fit->validation_every = 1;
    log_enable(false);
    if (!fit_train(fit, err)) note("failed");
    log_enable(true);
    fit_release(fit);
    for (int mode = 0; mode < FIT_MODES; mode++)
        for (int i = 0; i < FIT_PLANS; i++) {
            plan_free(plans[mode][i]);
            plans[mode][i] = NULL;
        }
    return events;
}

static void check_train(int64_t steps, int n, const int length[], bool restarts,
                        FitOutcome outcome, const char *want) {
    Stream train = new_stream(n, length, restarts);
    Fit fit = {.last_epoch = 3};
    fit.part[FIT_TRAIN].steps = steps;
    Err err = {0};
    const char *got = run(&fit, &train, NULL, &err);
    CHECK_TEXT(got, want);
    CHECK(strlen(got) == strlen(want));
    CHECK(fit.outcome == outcome);
}

static void an_epoch_is_a_pass(void) {
    check_train(0, 2, (int[]){3, 1}, false, FIT_COMPLETED,
                "epoch1 . . . end done epoch2 . end done epoch3 . end done train_end");
    check_train(0, 1, (int[]){2}, true, FIT_COMPLETED,
                "epoch1 pass1 . . end done epoch2 pass2 . . end done "
                "epoch3 pass3 . . end done train_end");
}

static void training_stops_without_data(void) {
    check_train(0, 2, (int[]){2, 0}, false, FIT_STOPPED,
                "epoch1 . . end done epoch2 end train_end");
    check_train(2, 2, (int[]){3, 0}, false, FIT_STOPPED,
                "epoch1 . . done epoch2 . end done epoch3 end train_end");
}

static void steps_go_on_within_a_pass(void) {
    /* 2 + 2 batches make the pass; its end is seen when the third epoch wants one. */
    check_train(2, 1, (int[]){4}, false, FIT_COMPLETED,
                "epoch1 . . done epoch2 . . done epoch3 end . . done train_end");
    check_train(2, 1, (int[]){4}, true, FIT_COMPLETED,
                "epoch1 pass1 . . done epoch2 . . done epoch3 end pass2 . . done "
                "train_end");
    check_train(2, 2, (int[]){2, 0}, false, FIT_STOPPED,
                "epoch1 . . done epoch2 end end train_end");
    check_train(3, 1, (int[]){4}, true, FIT_COMPLETED,
                "epoch1 pass1 . . . done epoch2 . end done epoch3 pass2 . . . done "
                "train_end");
}

static void validation_goes_on_or_begins_anew(void) {
    Err err = {0};
    for (int restarts = 0; restarts < 2; restarts++) {
        Stream train = new_stream(1, (int[]){1}, false);
        Stream test = new_stream(1, (int[]){3}, restarts);
        Fit fit = {.last_epoch = 2};
        fit.part[FIT_TEST].steps = 2;
        const char *want = restarts ? "epoch1 . end test pass1 . . tested done+ "
                                      "epoch2 . end test pass1 . . tested done+ train_end"
                                    : "epoch1 . end test . . tested done+ "
                                      "epoch2 . end test . end tested done+ train_end";
        CHECK(strcmp(run(&fit, &train, &test, &err), want) == 0);
    }
}

static void validation_without_data_is_left_out(void) {
    Err err = {0};
    Stream train = new_stream(1, (int[]){1}, false);
    Stream test = new_stream(2, (int[]){1, 0}, false);
    Fit fit = {.last_epoch = 2};
    const char *want = "epoch1 . end test . end tested done+ "
                       "epoch2 . end test end done train_end";
    CHECK(strcmp(run(&fit, &train, &test, &err), want) == 0);
    CHECK(fit.outcome == FIT_COMPLETED);
}

static void an_error_in_drawing_ends_the_run(void) {
    Err err = {0};
    Stream train = new_stream(1, (int[]){9}, false);
    train.fail_at = 3;
    Fit fit = {.last_epoch = 1};
    CHECK(strcmp(run(&fit, &train, NULL, &err), "epoch1 . . failed") == 0);
    CHECK_TEXT(err.where, "script.lua:7");
    CHECK_TEXT(err.text, "broken");
    CHECK(fit.outcome == FIT_FAILED && fit.batch == 3);
}

static void a_signal_in_drawing_is_no_error(void) {
    Err err = {0};
    Stream train = new_stream(1, (int[]){9}, false);
    train.fail_at = 1;
    signal_waits = true;
    Fit fit = {.last_epoch = 2};
    CHECK(strcmp(run(&fit, &train, NULL, &err), "epoch1 train_end") == 0);
    CHECK(fit.outcome == FIT_INTERRUPTED && !err.set && !signal_waits);
}

TEST_MAIN(an_epoch_is_a_pass, training_stops_without_data, steps_go_on_within_a_pass,
          validation_goes_on_or_begins_anew, validation_without_data_is_left_out,
          an_error_in_drawing_ends_the_run, a_signal_in_drawing_is_no_error)
