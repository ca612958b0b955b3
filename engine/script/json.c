/* Reading JSON: jansson reads the text, tables come out. */
#include <jansson.h>
#include <string.h>
#include "script/script.h"

enum { DEPTH = 200 }; /* lists and objects in each other */

#define JSON_META "cdl.json"

static int json_close(lua_State *L) {
    json_t **slot = luaL_checkudata(L, 1, JSON_META);
    json_decref(*slot);
    *slot = NULL;
    return 0;
}

static void push(lua_State *L, const json_t *value);

static void push_list(lua_State *L, const json_t *list) {
    size_t count = json_array_size(list);
    lua_createtable(L, (int)(count < 1 << 20 ? count : 1 << 20), 0);
    for (size_t k = 0; k < count; k++) {
        push(L, json_array_get(list, k));
        lua_rawseti(L, -2, (lua_Integer)k + 1);
    }
}

static void push_object(lua_State *L, const json_t *object) {
    const char *key;
    json_t *value;
    size_t count = json_object_size(object);
    lua_createtable(L, 0, (int)(count < 1 << 20 ? count : 1 << 20));
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        lua_pushstring(L, key);
        push(L, value);
        lua_rawset(L, -3);
    }
}

/* The value that stands for null is at index 2. */
static void push(lua_State *L, const json_t *value) {
    luaL_checkstack(L, 4, "JSON too deep");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, value);
        break;
    case JSON_ARRAY:
        push_list(L, value);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    default:
        lua_pushvalue(L, 2);
    }
}

/* jansson's own bound on depth is higher, and it has none for a text's brackets alone. */
static bool too_deep(const char *text, size_t size) {
    int depth = 0;
    bool in_string = false;
    for (size_t k = 0; k < size; k++) {
        char c = text[k];
        if (in_string) {
            if (c == '\\')
                k++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH) return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

/* core.json_decode(text, null) -> value; nil and the reason when it is none. `null` stands
 * for null. */
static int core_json_decode(lua_State *L) {
    size_t size;
    json_error_t error;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_settop(L, 2);
    if (too_deep(text, size)) {
        luaL_pushfail(L);
        lua_pushfstring(L, "lists and objects are more than %d deep", DEPTH);
        return 2;
    }
    json_t **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, JSON_META);
    *slot = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!*slot) {
        luaL_pushfail(L);
        lua_pushfstring(L, "line %d, column %d: %s", error.line, error.column,
                        error.text);
        return 2;
    }
    push(L, *slot);
    json_decref(*slot);
    *slot = NULL;
    return 1;
}

static const luaL_Reg json_functions[] = {{"json_decode", core_json_decode},
                                          {NULL, NULL}};

void script_open_json(lua_State *L) {
    script_register(L, json_functions);
    if (luaL_newmetatable(L, JSON_META)) {
        lua_pushcfunction(L, json_close);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}
