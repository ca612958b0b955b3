/* Python's pickles, which old data sets are kept in. */
#include "../fuzz.h"
#include "lua_target.h"

void fuzz_file(const char *path) {
    lua_target("require 'cdl.core'.pickle_load((...))", path);
}
