/* The JSON in which Keras describes a model, as it stands in .keras and .h5 files. */
#include "../fuzz.h"
#include "lua_target.h"

void fuzz_file(const char *path) {
    lua_target("local path = ...\n"
               "local file <close> = assert(io.open(path, 'rb'))\n"
               "cdl.models.model_from_json(file:read 'a')",
               path);
}
