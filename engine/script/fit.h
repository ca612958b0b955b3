/* A run of the training loop as Lua sees it: what the fit*.c files share.
 *
 * core.run_loop owns one stack frame for the whole run; the loop calls back into it.
 * Every call of Lua code goes through run_protected, so no error crosses the loop: the
 * error is parked in the anchors and comes out as the result of core.run_loop. */
#ifndef CDL_SCRIPT_FIT_H
#define CDL_SCRIPT_FIT_H
#include "script/script.h"
#include "train/fit.h"

#define RUN_META "cdl.run"

/* Places in the frame of core.run_loop. */
enum { RUN_SPEC = 1, RUN_SELF, RUN_HANDLER, RUN_ANCHORS, RUN_HOOKS, RUN_TOP = RUN_HOOKS };

/* Keys of the anchors table, which keeps alive what C refers to. Plans follow:
 * ANCHOR_PLANS + mode * FIT_PLANS + slot. */
enum {
    ANCHOR_ERROR = 1,  /* the parked error with its traceback */
    ANCHOR_MESSAGE,    /* and without */
    ANCHOR_HOOKS,      /* the hooks table, for the message handler */
    ANCHOR_EPOCH_LOGS, /* metrics of the last whole epoch, as the loop knows them */
    ANCHOR_RESULTS,    /* + mode: the plan that computes the metrics' results */
    ANCHOR_NAMES = ANCHOR_RESULTS + FIT_MODES, /* + mode: their names */
    ANCHOR_PLANS = ANCHOR_NAMES + FIT_MODES
};

/* One callback's function for one hook. The hooks table holds the function at 2 slot +
 * 1 and the callback at 2 slot + 2, and at -n the words for callback n in messages. */
typedef struct HookEntry {
    int slot, callback; /* callback: its place in the list, from 1 */
    bool takes_logs;
    double interval, last; /* seconds between calls (0: every event), and the last one */
} HookEntry;

typedef struct HookList {
    int first, n; /* a run of entries */
    bool throttled;
} HookList;

/* A mode's part of the run: what the sources in it know of their surroundings. */
typedef struct RunPart {
    struct Run *run;
    FitMode mode;
} RunPart;

/* What a callback's hook has cost so far. */
typedef struct HookCost {
    double seconds;
    int64_t calls;
} HookCost;

typedef struct Run {
    Fit fit;
    lua_State *L;
    struct Run *outer; /* the run in whose hook this one goes on */
    int64_t *validation_epochs;
    Plan *results[FIT_MODES]; /* NULL until first read */
    RunPart part[FIT_MODES];
    HookEntry *entry;
    HookList list[HOOK_COUNT];
    const void *model; /* what Lua has as its model, to know it again */
    bool keeps;        /* the spec has a function `keep` */
    bool profiled; /* hooks are timed: `costs` callbacks, HOOK_COUNT entries for each */
    int costs;
    HookCost *cost;
    /* What is being called: for the protected functions and for the traceback. */
    Hook hook;
    int64_t number;
    const char *text;
    int current; /* entry that is running, -1: none */
    FitMode mode;
    const Batch *batch; /* that wants a plan; else NULL */
    int slot;
    FitMode asked;          /* whose data are asked for */
    struct Stream *drawing; /* a stream that asks; else NULL */
    int64_t pass, n_rows, *rows;
} Run;

/* ---- fit_protect.c ---- */
/* The innermost run that is going on; NULL outside of runs. */
Run *run_current(lua_State *L);
void run_set_current(lua_State *L, Run *run);
/* Pushes the message handler of protected calls; in the frame of core.run_loop. */
/* core.idle_hook: a hook that does nothing; the loop passes over it. */
int run_idle(lua_State *L);

void run_push_handler(lua_State *L, Run *run);
/* Calls f(run, anchors, hooks, spec) protected; with `result` its one result is left
 * on the stack. On an error: parked, and err gets the message. */
bool run_protected(Run *run, lua_CFunction f, bool result, Err *err);
bool run_is_parked(const Run *run); /* an error is parked */
void run_forget(Run *run);          /* forgets it */
/* Inside a protected function: the run, with the others at index 2, 3, 4. */
Run *run_self(lua_State *L);

/* ---- fit_hooks.c: the FitHost's hook and lookup ---- */
bool run_hook(Fit *fit, Hook hook, int64_t number, const char *text, Err *err);
bool run_lookup(Fit *fit, Err *err);
/* Pushes "in callback 2 (EarlyStopping), on_epoch_end(3)"; a hook is running. Raises
 * nothing but for lack of memory. */
void run_push_place(lua_State *L, const Run *run, int hooks);

/* ---- fit_profile.c ---- */
void run_profile_grow(lua_State *L, Run *run, int callbacks); /* room for so many */
double run_profile_begin(const Run *run);
void run_profile_end(Run *run, int callback, double begin); /* of run->hook */
/* A list of {place = callback, hook = name, seconds =, calls =}. */
void run_push_profile(lua_State *L, const Run *run);

/* ---- fit_source.c: in the frame of core.run_loop ---- */
/* Opens the source of the mode, if the spec has a part for it. */
void run_read_part(lua_State *L, Run *run, FitMode mode);
/* Pushes "in the training data, epoch 1, batch 3" when a stream asks Lua code for it. */
bool run_push_data_place(lua_State *L, const Run *run);

/* ---- fit_spec.c: in the frame of core.run_loop ---- */
void run_read_epochs(lua_State *L, Run *run);
/* {epoch =, batch =, pass =, drawn =}. */
void run_read_place(lua_State *L, int table, FitPlace *place);

/* ---- fit_logs.c: in protected functions ---- */
void run_push_logs(lua_State *L, Run *run, HookLogs kind);
/* Computes the mode's metrics: a table by name, or their values as a list. */
void run_push_results(lua_State *L, Run *run, FitMode mode, bool as_list);
void run_keep_epoch(lua_State *L, Run *run);
const char *run_mode_name(FitMode mode); /* "train", "test", "predict" */

#endif
