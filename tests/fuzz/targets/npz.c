#include "../fuzz.h"
#include "io/npz.h"

const bool fuzz_frees_all = true;

void fuzz_file(const char *path) {
    NamedTensors arrays = {0};
    npz_load(path, &arrays, NULL);
    named_free(&arrays);
}
