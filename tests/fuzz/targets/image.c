/* PNG and JPEG, told apart by their first bytes. */
#include "../fuzz.h"
#include "io/image.h"

const bool fuzz_frees_all = true;

void fuzz_file(const char *path) {
    for (int channels = 0; channels <= 4; channels++) {
        Image image = {0};
        if (channels == 2) continue;
        image_load(path, channels, &image, NULL);
        image_free(&image);
    }
}
