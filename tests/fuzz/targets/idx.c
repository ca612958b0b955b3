#include "../fuzz.h"
#include "io/idx.h"

const bool fuzz_frees_all = true;

void fuzz_file(const char *path) {
    Tensor x = {0};
    idx_load(path, &x, NULL);
    tensor_release(&x);
}
