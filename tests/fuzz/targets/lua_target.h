/* Targets whose readers are written in Lua: a piece of Lua is called with the path, in a state
 * that lives as long as the process. It may raise. */
#ifndef CDL_TESTS_FUZZ_LUA_TARGET_H
#define CDL_TESTS_FUZZ_LUA_TARGET_H
#include <stdio.h>
#include <stdlib.h>
#include "script/script.h"

const bool fuzz_frees_all = false;

static inline void lua_target(const char *code, const char *path) {
    static lua_State *L;
    if (!L) {
        L = vm_new();
        if (!L || luaL_dostring(L, "cdl = require 'cdl'; local a = cdl.models") ||
            luaL_loadstring(L, code)) {
            fprintf(stderr, "fuzz: %s\n", L ? lua_tostring(L, -1) : "no memory");
            exit(2);
        }
    }
    lua_pushvalue(L, 1);
    lua_pushstring(L, path);
    lua_pcall(L, 1, 0, 0);
    lua_settop(L, 1);
    lua_gc(L, LUA_GCCOLLECT);
}

#endif
