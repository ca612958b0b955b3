/* Writing HDF5 files: into one block of memory, which goes into an archive or a file as a
 * whole. */
#ifdef CDL_HDF5
#include <string.h>
#include "base/mem.h"
#include "io/h5.h"
#include "io/h5_library.h"

void h5_image_free(H5Image *image) {
    mem_free(image->bytes);
    *image = (H5Image){0};
}

/* The library keeps a new file in a block of ours, which is taken over when it is closed. */

static void *image_new(size_t size, H5FD_file_image_op_t op, void *context) {
    return mem_alloc(size);
}

static void *image_copy(void *to, const void *from, size_t size, H5FD_file_image_op_t op,
                        void *context) {
    return memcpy(to, from, size);
}

static void *image_grow(void *block, size_t size, H5FD_file_image_op_t op,
                        void *context) {
    return mem_grow(block, size);
}

static herr_t image_take(void *block, H5FD_file_image_op_t op, void *context) {
    H5Image *image = context;
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE && !image->bytes)
        image->bytes = block;
    else
        mem_free(block);
    return 0;
}

static void *context_same(void *context) { return context; }
static herr_t context_keep(void *context) { return 0; }

static hid_t create_file(const H5Library *h5, H5Image *image, size_t step) {
    H5FD_file_image_callbacks_t callbacks = {
        .image_malloc = image_new,
        .image_memcpy = image_copy,
        .image_realloc = image_grow,
        .image_free = image_take,
        .udata_copy = context_same,
        .udata_free = context_keep,
        .udata = image,
    };
    hid_t file = -1, access = h5->Pcreate(h5->P_CLS_FILE_ACCESS_ID);
    if (access >= 0 && h5->Pset_fapl_core(access, step, 0) >= 0 &&
        h5->Pset_file_image_callbacks(access, &callbacks) >= 0)
        file = h5->Fcreate("cdl-image.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (access >= 0) h5->Pclose(access);
    return file;
}

typedef struct Writer {
    const H5Library *h5;
    hid_t file, links, layout; /* how links and arrays are made */
} Writer;

/* The file's type of a dtype, and the memory's. Booleans are kept as bytes. */
static void types_of(const H5Library *h5, DType dtype, hid_t *stored, hid_t *memory) {
    const struct {
        hid_t stored, memory;
    } types[DTYPE_COUNT] = {
        [DTYPE_BOOL] = {h5->T_STD_U8LE, h5->T_NATIVE_UINT8},
        [DTYPE_UINT8] = {h5->T_STD_U8LE, h5->T_NATIVE_UINT8},
        [DTYPE_INT32] = {h5->T_STD_I32LE, h5->T_NATIVE_INT32},
        [DTYPE_INT64] = {h5->T_STD_I64LE, h5->T_NATIVE_INT64},
        [DTYPE_FLOAT32] = {h5->T_IEEE_F32LE, h5->T_NATIVE_FLOAT},
        [DTYPE_FLOAT64] = {h5->T_IEEE_F64LE, h5->T_NATIVE_DOUBLE},
    };
    *stored = types[dtype].stored, *memory = types[dtype].memory;
}

static bool write_array(const Writer *writer, const H5Array *array, Err *err) {
    const H5Library *h5 = writer->h5;
    Tensor dense;
    hid_t stored, memory, set = -1;
    hsize_t dims[SHAPE_MAX];
    if (!tensor_contiguous(&array->tensor, &dense, err)) return false;
    types_of(h5, dense.dtype, &stored, &memory);
    for (int k = 0; k < dense.shape.ndim; k++) dims[k] = (hsize_t)dense.shape.dim[k];
    hid_t space = dense.shape.ndim ? h5->Screate_simple(dense.shape.ndim, dims, NULL)
                                   : h5->Screate(H5S_SCALAR);
    if (space >= 0)
        set = h5->Dcreate2(writer->file, array->path, stored, space, writer->links,
                           writer->layout, H5P_DEFAULT);
    bool ok = set >= 0 &&
              (tensor_size(&dense) == 0 ||
               h5->Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, dense.data) >= 0);
    if (set >= 0 && h5->Dclose(set) < 0) ok = false;
    if (space >= 0) h5->Sclose(space);
    tensor_release(&dense);
    return ok ||
           err_set(err, "the array '%s' cannot be put into an HDF5 file (out of memory?)",
                   array->path);
}

static bool write_arrays(const Writer *writer, const H5Array *arrays, int64_t count,
                         size_t *size, Err *err) {
    const H5Library *h5 = writer->h5;
    if (writer->links < 0 || writer->layout < 0 ||
        h5->Pset_create_intermediate_group(writer->links, 1) < 0 ||
        h5->Pset_obj_track_times(writer->layout, 0) < 0)
        return err_set(err, "the HDF5 library cannot make a file");
    for (int64_t k = 0; k < count; k++)
        if (!write_array(writer, &arrays[k], err)) return false;
    ssize_t bytes = h5->Fflush(writer->file, H5F_SCOPE_GLOBAL) < 0
                        ? -1
                        : h5->Fget_file_image(writer->file, NULL, 0);
    if (bytes < 0) return err_set(err, "the HDF5 library cannot finish the file");
    *size = (size_t)bytes;
    return true;
}

bool h5_write(const H5Array *arrays, int64_t count, H5Image *out, Err *err) {
    const H5Library *h5 = h5_library(err);
    if (!h5) return false;
    /* One step of growth holds all of it. */
    size_t step = 1 << 20;
    for (int64_t k = 0; k < count; k++) step += tensor_bytes(&arrays[k].tensor) + 1024;
    H5Image image = {0};
    Writer writer = {h5, create_file(h5, &image, step), -1, -1};
    if (writer.file < 0) return err_set(err, "the HDF5 library cannot make a file");
    writer.links = h5->Pcreate(h5->P_CLS_LINK_CREATE_ID);
    writer.layout = h5->Pcreate(h5->P_CLS_DATASET_CREATE_ID);
    bool ok = write_arrays(&writer, arrays, count, &image.size, err);
    if (writer.links >= 0) h5->Pclose(writer.links);
    if (writer.layout >= 0) h5->Pclose(writer.layout);
    if (h5->Fclose(writer.file) < 0 && ok)
        ok = err_set(err, "the HDF5 library cannot finish the file");
    if (ok)
        *out = image;
    else
        h5_image_free(&image);
    return ok;
}
#endif
