/* What is left of HDF5 when cdl is built without it. */
#ifndef CDL_HDF5
#include "base/mem.h"
#include "io/h5.h"

static bool missing(Err *err) {
    return err_set(
        err, "this cdl was built without HDF5; install libhdf5-dev and build it again");
}

H5File *h5_open(const char *path, Err *err) { return missing(err), NULL; }

H5File *h5_open_image(void *bytes, size_t size, const char *name, Err *err) {
    mem_free(bytes);
    return missing(err), NULL;
}

H5File *h5_open_entry(const Archive *archive, int64_t index, Err *err) {
    return missing(err), NULL;
}

void h5_close(H5File *file) {}
int64_t h5_count(const H5File *file) { return 0; }
size_t h5_bytes(const H5File *file) { return 0; }
const char *h5_path(const H5File *file, int64_t index) { return ""; }
bool h5_is_array(const H5File *file, int64_t index) { return false; }

bool h5_read(const H5File *file, int64_t index, Tensor *out, Err *err) {
    return missing(err);
}

bool h5_texts(const H5File *file, int64_t index, const char *name, H5Texts *out,
              Err *err) {
    return missing(err);
}

bool h5_write(const H5Array *arrays, int64_t count, H5Image *out, Err *err) {
    return missing(err);
}

bool h5_image_write(const H5Image *image, const char *path, Err *err) {
    return missing(err);
}

void h5_texts_free(H5Texts *texts) {}
void h5_image_free(H5Image *image) {}
#endif
