/* The data of a run: the sources that the parts of core.run_loop's spec describe.
 *
 * A part with `leaves` is tensors in memory, which the loop reads in place; Lua code is
 * asked at most once a pass, for the order of the rows. A part with `draw` is a stream:
 * Lua code that gives a list of tensors for every batch (generators, datasets). */
#include "base/mem.h"
#include "data/tensor_source.h"
#include "script/fit.h"

/* ---- reading a part ---- */

static int64_t read_integer(lua_State *L, int table, const char *field,
                            int64_t fallback) {
    int64_t value = fallback;
    if (lua_getfield(L, table, field) != LUA_TNIL) value = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool read_boolean(lua_State *L, int table, const char *field) {
    lua_getfield(L, table, field);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static Shuffle read_shuffle(lua_State *L, int table) {
    static const char *const names[] = {"none", "rows", "batch", NULL};
    lua_getfield(L, table, "shuffle");
    Shuffle shuffle = (Shuffle)luaL_checkoption(L, -1, "none", names);
    lua_pop(L, 1);
    return shuffle;
}

/* ---- tensors ---- */

/* Pushes the function `field` of the part that the run asks now. */
static void push_function(lua_State *L, const Run *run, const char *field) {
    lua_getfield(L, 4, run_mode_name(run->asked));
    lua_getfield(L, -1, field);
}

static int call_order(lua_State *L) {
    const Run *run = run_self(L);
    push_function(L, run, "order");
    lua_pushinteger(L, run->pass);
    lua_call(L, 1, 1);
    const Tensor *order = script_check_tensor(L, -1);
    if (order->dtype != DTYPE_INT64 || order->shape.ndim != 1 ||
        order->shape.dim[0] != run->n_rows)
        luaL_error(L, "order: an int64 tensor of %I rows is wanted",
                   (LUAI_UACINT)run->n_rows);
    for (int64_t i = 0; i < run->n_rows; i++) run->rows[i] = tensor_load_int(order, &i);
    return 0;
}

static bool fill_order(void *context, int64_t pass, int64_t n, int64_t *rows, Err *err) {
    const RunPart *part = context;
    Run *run = part->run;
    run->asked = part->mode;
    run->pass = pass;
    run->n_rows = n;
    run->rows = rows;
    return run_protected(run, call_order, false, err);
}

/* The part is on top of the stack. */
static Source *new_tensor_source(lua_State *L, Run *run, FitMode mode, Err *err) {
    int part = lua_gettop(L);
    lua_getfield(L, part, "leaves");
    int n = (int)lua_rawlen(L, -1);
    Tensor *leaf = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *leaf, 0);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, part + 1, i + 1);
        leaf[i] = *script_check_tensor(L, -1);
        lua_pop(L, 1);
    }
    TensorSourceOptions options = {
        .batch = read_integer(L, part, "batch", 32),
        .shuffle = read_shuffle(L, part),
        .drop_remainder = read_boolean(L, part, "drop_remainder"),
        .seed = (uint64_t)read_integer(L, part, "seed", 0),
        .fit = read_integer(L, part, "fit", 0),
    };
    if (lua_getfield(L, part, "order") != LUA_TNIL) {
        int64_t rows = read_integer(L, part, "rows", 0);
        options.order = (RowOrder){fill_order, &run->part[mode], rows};
    }
    return tensor_source_new(n, leaf, options, err);
}

/* ---- streams ---- */

typedef struct Stream {
    Source source;
    RunPart *part;
    bool copy; /* whoever gives the tensors may refill them for the next batch */
    bool ended;
    int n;
    Tensor *own; /* of the batch that was drawn last, contiguous */
    BatchPart *leaf;
} Stream;

/* Makes room for the parts of a batch. */
static void reserve(lua_State *L, Stream *self, int n) {
    if (n <= self->n) return;
    Tensor *own = mem_grow(self->own, (size_t)n * sizeof *own);
    if (own) self->own = own;
    BatchPart *leaf = own ? mem_grow(self->leaf, (size_t)n * sizeof *leaf) : NULL;
    if (!leaf) script_raise(L, "out of memory for a batch of %d arrays", n);
    self->leaf = leaf;
    for (int i = self->n; i < n; i++) self->own[i] = (Tensor){0};
    self->n = n;
}

static void keep(lua_State *L, Stream *self, int i, const Tensor *from) {
    Err err = {0};
    Tensor *own = &self->own[i], made = {0};
    bool fits = own->buffer && own->dtype == from->dtype &&
                shape_equal(&own->shape, &from->shape);
    bool ok = !self->copy ? tensor_contiguous(from, &made, &err)
              : fits      ? tensor_assign(own, from, &err)
                          : tensor_copy(from, &made, &err);
    if (!ok) script_error(L, &err);
    if (made.buffer) {
        tensor_release(own);
        *own = made;
    }
    self->leaf[i] = (BatchPart){own->data, NULL, own->dtype, own->shape};
}

/* The number of tensors that came; 0: the pass is over. */
static int call_draw(lua_State *L) {
    Run *run = run_self(L);
    Stream *self = run->drawing;
    push_function(L, run, "draw");
    lua_call(L, 0, 1);
    int n = lua_isnil(L, -1) ? 0 : (int)luaL_len(L, -1);
    reserve(L, self, n);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, -1, i + 1);
        keep(L, self, i, script_check_tensor(L, -1));
        lua_pop(L, 1);
    }
    lua_pushinteger(L, n);
    return 1;
}

static int call_start(lua_State *L) {
    const Run *run = run_self(L);
    push_function(L, run, "start");
    lua_pushinteger(L, run->pass);
    lua_call(L, 1, 0);
    return 0;
}

/* Calls Lua code of the part; errors in it name the batch. */
static bool ask(Stream *self, lua_CFunction f, bool result, Err *err) {
    Run *run = self->part->run;
    run->asked = self->part->mode;
    run->drawing = self;
    bool ok = run_protected(run, f, result, err);
    run->drawing = NULL;
    if (!ok && run->fit.host->interrupted()) run_forget(run);
    return ok;
}

static bool stream_start(Source *source, int64_t pass, Err *err) {
    Stream *self = (Stream *)source;
    self->part->run->pass = pass;
    return ask(self, call_start, false, err);
}

static SourceState stream_next(Source *source, Batch *batch, Err *err) {
    Stream *self = (Stream *)source;
    lua_State *L = self->part->run->L;
    if (!ask(self, call_draw, true, err)) return SOURCE_ERROR;
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    self->ended = n == 0;
    if (self->ended) return SOURCE_END;
    *batch = (Batch){self->leaf[0].shape.dim[0], n, self->leaf};
    return SOURCE_BATCH;
}

static bool stream_ended(const Source *source) { return ((const Stream *)source)->ended; }

static void stream_free(Source *source) {
    Stream *self = (Stream *)source;
    for (int i = 0; i < self->n; i++) tensor_release(&self->own[i]);
    mem_free(self->own);
    mem_free(self->leaf);
    mem_free(self);
}

static Source *new_stream(lua_State *L, Run *run, FitMode mode, Err *err) {
    static const SourceKind stream = {stream_start, stream_next, stream_ended,
                                      stream_free};
    Stream *self = mem_zalloc(sizeof *self);
    if (!self) {
        err_set(err, "out of memory for a stream of batches");
        return NULL;
    }
    *self = (Stream){.source = {&stream, -1, -1},
                     .part = &run->part[mode],
                     .copy = read_boolean(L, -1, "copy"),
                     .ended = true};
    self->source.batches = read_integer(L, -1, "batches", -1);
    return &self->source;
}

/* ---- for the other files ---- */

bool run_push_data_place(lua_State *L, const Run *run) {
    const Fit *fit = &run->fit;
    if (!run->drawing) return false;
    if (!fit->part[FIT_TRAIN].source)
        lua_pushfstring(L, "in the data to %s, batch %I",
                        run->asked == FIT_TEST ? "evaluate" : "predict",
                        (LUAI_UACINT)fit->batch);
    else
        lua_pushfstring(L, "in the %s data, epoch %I, batch %I",
                        run->asked == FIT_TRAIN ? "training" : "validation",
                        (LUAI_UACINT)fit->epoch, (LUAI_UACINT)fit->batch);
    return true;
}

void run_read_part(lua_State *L, Run *run, FitMode mode) {
    int top = lua_gettop(L);
    run->part[mode] = (RunPart){run, mode};
    if (lua_getfield(L, RUN_SPEC, run_mode_name(mode)) != LUA_TNIL) {
        int part = top + 1;
        FitPart *into = &run->fit.part[mode];
        Err err = {0};
        bool is_stream = lua_getfield(L, part, "draw") != LUA_TNIL;
        lua_pop(L, 1);
        into->steps = read_integer(L, part, "steps", 0);
        into->source = is_stream ? new_stream(L, run, mode, &err)
                                 : new_tensor_source(L, run, mode, &err);
        if (!into->source) script_error(L, &err);
    }
    lua_settop(L, top);
}
