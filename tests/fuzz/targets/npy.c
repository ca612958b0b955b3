#include "../fuzz.h"
#include "io/npy.h"

const bool fuzz_frees_all = true;

void fuzz_file(const char *path) {
    Tensor x = {0};
    npy_load(path, &x, NULL);
    tensor_release(&x);
}
