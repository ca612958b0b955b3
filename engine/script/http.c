/* HTTP in Lua. What goes wrong is returned as nil and a message. */
#include "io/http.h"
#include "script/script.h"
#include "script/signals.h"

static int push_failure(lua_State *L, const Err *err) {
    luaL_pushfail(L);
    lua_pushstring(L, err->text);
    return 2;
}

/* A waiting Ctrl-C does not wait for a server. */
static bool stop_waiting(void) { return signals_pending() != 0; }

/* core.http_post(url, header lines, body, connect seconds, seconds) -> status */
static int core_http_post(lua_State *L) {
    HttpPost post = {.url = luaL_checkstring(L, 1),
                     .connect_seconds = luaL_checknumber(L, 4),
                     .seconds = luaL_checknumber(L, 5),
                     .stop = stop_waiting};
    post.body = luaL_checklstring(L, 3, &post.bytes);
    int lines = (int)luaL_len(L, 2), status = 0;
    const char **header = lua_newuserdatauv(L, (size_t)(lines + 1) * sizeof *header, 0);
    for (int i = 0; i < lines; i++) {
        lua_rawgeti(L, 2, i + 1);
        header[i] = luaL_checkstring(L, -1); /* it stays in its table */
        lua_pop(L, 1);
    }
    header[lines] = NULL;
    post.header = header;
    Err err = {0};
    if (!http_post(&post, &status, &err)) return push_failure(L, &err);
    lua_pushinteger(L, status);
    return 1;
}

/* core.http_available() -> true */
static int core_http_available(lua_State *L) {
    Err err = {0};
    if (!http_available(&err)) return push_failure(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg http_functions[] = {
    {"http_post", core_http_post},
    {"http_available", core_http_available},
    {NULL, NULL},
};

void script_open_http(lua_State *L) { script_register(L, http_functions); }
