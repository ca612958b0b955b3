/* Every array and the attributes that Keras's files have. */
#include "../fuzz.h"
#include "io/h5.h"

/* The library keeps free lists of its own. */
const bool fuzz_frees_all = true;

static void read_entry(const H5File *file, int64_t index) {
    static const char *const names[] = {"name", "layer_names", "weight_names",
                                        "model_config", "keras_version"};
    for (int k = 0; k < 5; k++) {
        H5Texts texts = {0};
        if (h5_texts(file, index, names[k], &texts, NULL)) h5_texts_free(&texts);
    }
    Tensor x = {0};
    if (h5_is_array(file, index)) h5_read(file, index, &x, NULL);
    tensor_release(&x);
}

void fuzz_file(const char *path) {
    H5File *file = h5_open(path, NULL);
    for (int64_t k = 0; file && k < h5_count(file); k++) read_entry(file, k);
    if (file) h5_close(file);
}
