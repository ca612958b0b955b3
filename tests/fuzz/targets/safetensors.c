#include "../fuzz.h"
#include "io/safetensors.h"

const bool fuzz_frees_all = true;

void fuzz_file(const char *path) {
    Safetensors file = {0};
    safetensors_load(path, &file, NULL);
    safetensors_free(&file);
}
