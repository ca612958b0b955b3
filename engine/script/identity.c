/* What tells one run's surroundings from another's: the data and the program. A run that
 * is continued compares them with those of its snapshot. */
#include <inttypes.h>
#include <stdio.h>
#include "kernels/isa.h"
#include "script/script.h"
#include "tensor/digest.h"

/* core.digest(tensors): hexadecimal digits that tell their data from others. */
static int core_digest(lua_State *L) {
    uint64_t digest = DIGEST_START;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = luaL_len(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        Err err = {0};
        lua_geti(L, 1, i);
        if (!tensor_digest(script_check_tensor(L, -1), &digest, &err))
            script_error(L, &err);
        lua_pop(L, 1);
    }
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, digest);
    lua_pushstring(L, text);
    return 1;
}

/* core.program(): the version and the kernels that run, "0.1.0", "AVX2". */
static int core_program(lua_State *L) {
    lua_pushliteral(L, CDL_VERSION);
    lua_pushstring(L, isa_name(isa_get()));
    return 2;
}

static const luaL_Reg identity_functions[] = {
    {"digest", core_digest},
    {"program", core_program},
    {NULL, NULL},
};

void script_open_identity(lua_State *L) { script_register(L, identity_functions); }
