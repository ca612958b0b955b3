#include "script/signals.h"
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include "script/script.h"

/* Handlers may touch nothing but these. */
static volatile sig_atomic_t interrupts, terminations; /* signals since the last clear */
static volatile sig_atomic_t unread;                   /* nobody reads our output */
static volatile sig_atomic_t fits, prompts;            /* how deep in each we are */
static lua_State *volatile state;                      /* the coroutine that is running */

static void unhook(lua_State *L) { lua_sethook(L, NULL, 0, 0); }

/* Runs at the next call, return or instruction of Lua code. */
static void raise_interrupt(lua_State *L, lua_Debug *frame) {
    unhook(L);
    if (!signals_pending())
        return; /* an older hook, of a coroutine that was left meanwhile */
    script_raise(L, "%s", terminations ? "terminated" : "interrupted");
}

/* lua_sethook is what Lua allows in a signal handler. */
static void hook_lua(void) {
    if (state && !fits && !prompts) {
        lua_sethook(state, raise_interrupt, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT,
                    1);
    }
}

static void on_signal(int number) {
    volatile sig_atomic_t *count = number == SIGTERM ? &terminations : &interrupts;
    if (*count && !prompts) _exit(128 + number);
    *count = 1;
    hook_lua();
}

/* A broken pipe is an error of the write, which its caller sees. But when nobody reads
 * standard output any more (`cdl script.lua | head`), the program ends as by SIGTERM. */
static void on_pipe(int number) {
    (void)number;
    struct pollfd output = {.fd = STDOUT_FILENO};
    if (terminations || poll(&output, 1, 0) <= 0 || !(output.revents & POLLERR)) return;
    unread = terminations = 1;
    hook_lua();
}

static void handle(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(number, &action, NULL);
}

/* A hook belongs to one coroutine, so the handler has to know which one is running. Calls
 * the function in the first upvalue (coroutine.resume, or what coroutine.wrap gave) with
 * the coroutine in question set as the running one. */
static int call_tracked(lua_State *L, lua_State *coroutine) {
    lua_State *caller = state;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    state = coroutine;
    int failed = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    state = caller;
    /* Unless its error goes on to the caller anyway, a signal must not end with it. */
    if (!failed && signals_pending()) hook_lua();
    return failed ? lua_error(L) : lua_gettop(L);
}

static int tracked_resume(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTHREAD);
    return call_tracked(L, lua_tothread(L, 1));
}

/* Upvalues: the function that wraps the coroutine, the coroutine. */
static int tracked_call(lua_State *L) {
    return call_tracked(L, lua_tothread(L, lua_upvalueindex(2)));
}

/* The original coroutine.wrap is the upvalue; what it gives keeps the coroutine as its
 * own. */
static int tracked_wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    lua_getupvalue(L, -1, 1);
    lua_pushcclosure(L, tracked_call, 2);
    return 1;
}

/* Replaces coroutine[name] by a function that has the original as its upvalue. */
static void track(lua_State *L, const char *name, lua_CFunction function) {
    lua_getglobal(L, LUA_COLIBNAME);
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void signals_install(lua_State *L) {
    state = L;
    if (L) {
        track(L, "resume", tracked_resume);
        track(L, "wrap", tracked_wrap);
    }
    handle(SIGINT, on_signal);
    handle(SIGTERM, on_signal);
    handle(SIGPIPE, on_pipe);
    handle(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the write */
}

bool signals_unread(void) { return unread; }

int signals_pending(void) { return terminations ? SIGTERM : interrupts ? SIGINT : 0; }

void signals_clear(void) {
    interrupts = terminations = 0;
    if (state) unhook(state);
}

/* A signal that nobody dealt with while it was held now reaches the Lua code. */
static void leave(volatile sig_atomic_t *depth) {
    *depth = *depth - 1;
    if (signals_pending()) hook_lua();
}

void signals_enter_fit(void) { fits = fits + 1; }
void signals_leave_fit(void) { leave(&fits); }
void signals_enter_prompt(void) { prompts = prompts + 1; }
void signals_leave_prompt(void) { leave(&prompts); }
