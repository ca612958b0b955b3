/* Writing HDF5 files. The library makes one in memory in which larger arrays are holes, that is pages
 * which nobody touches; their elements go from the tensors straight to where the file is wanted. */
#define _GNU_SOURCE /* memfd_create */
#ifdef CDL_HDF5
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/atomic.h"
#include "io/h5.h"
#include "io/h5_library.h"

enum { LARGE = 1 << 16 }; /* bytes of an array that the library does not get to see */

void h5_image_free(H5Image *image) {
    if (image->map) munmap(image->map, image->size);
    for (int64_t k = 0; k < image->span_count; k++)
        tensor_release(&image->spans[k].tensor);
    mem_free(image->spans);
    mem_free(image->parts);
    *image = (H5Image){0};
}

typedef struct Writer {
    const H5Library *h5;
    hid_t file, links, layout; /* how links and arrays are made */
    H5Image *image;
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

/* The elements go to the library, or the image keeps the tensor for their place. */
static bool write_elements(const Writer *writer, hid_t set, hid_t memory,
                           const Tensor *dense) {
    const H5Library *h5 = writer->h5;
    H5Image *image = writer->image;
    if (tensor_size(dense) == 0) return true;
    if (tensor_bytes(dense) < LARGE)
        return h5->Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, dense->data) >= 0;
    haddr_t place = h5->Dget_offset(set);
    if (place == HADDR_UNDEF) return false;
    image->spans[image->span_count++] = (H5Span){place, tensor_retain(dense)};
    return true;
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
    bool ok = set >= 0 && write_elements(writer, set, memory, &dense);
    if (set >= 0 && h5->Dclose(set) < 0) ok = false;
    if (space >= 0) h5->Sclose(space);
    tensor_release(&dense);
    return ok ||
           err_set(err, "the array '%s' cannot be put into an HDF5 file (out of memory?)",
                   array->path);
}

static bool write_arrays(const Writer *writer, const H5Array *arrays, int64_t count,
                         Err *err) {
    const H5Library *h5 = writer->h5;
    if (writer->file < 0 || writer->links < 0 || writer->layout < 0 ||
        h5->Pset_create_intermediate_group(writer->links, 1) < 0 ||
        h5->Pset_alloc_time(writer->layout, H5D_ALLOC_TIME_EARLY) < 0 ||
        h5->Pset_fill_time(writer->layout, H5D_FILL_TIME_NEVER) < 0 ||
        h5->Pset_obj_track_times(writer->layout, 0) < 0)
        return err_set(err, "the HDF5 library cannot make a file");
    for (int64_t k = 0; k < count; k++)
        if (!write_array(writer, &arrays[k], err)) return false;
    return true;
}

/* Other drivers follow the descriptor's link to its name, which no file has. */
static hid_t create_file(const H5Library *h5, int to) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", to);
    hid_t file = -1, access = h5->Pcreate(h5->P_CLS_FILE_ACCESS_ID);
    if (access >= 0 && h5->Pset_fapl_stdio(access) >= 0)
        file = h5->Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (access >= 0) h5->Pclose(access);
    return file;
}

static bool make_file(const H5Array *arrays, int64_t count, int to, H5Image *image,
                      Err *err) {
    enum { FOR_ARRAY = 16 << 10 };
    const H5Library *h5 = h5_library((size_t)count * FOR_ARRAY, err);
    if (!h5) return false;
    Writer writer = {h5, -1, -1, -1, image};
    writer.file = create_file(h5, to);
    writer.links = h5->Pcreate(h5->P_CLS_LINK_CREATE_ID);
    writer.layout = h5->Pcreate(h5->P_CLS_DATASET_CREATE_ID);
    bool ok = write_arrays(&writer, arrays, count, err);
    if (writer.links >= 0) h5->Pclose(writer.links);
    if (writer.layout >= 0) h5->Pclose(writer.layout);
    if (writer.file >= 0 && h5->Fclose(writer.file) < 0 && ok)
        ok = err_set(err, "the HDF5 library cannot finish the file");
    return ok;
}

static int compare_places(const void *a, const void *b) {
    uint64_t x = ((const H5Span *)a)->place, y = ((const H5Span *)b)->place;
    return (x > y) - (x < y);
}

/* The arrays, and in turn with them what the library has made. */
static bool list_parts(H5Image *image, int from, Err *err) {
    off_t size = lseek(from, 0, SEEK_END);
    void *map =
        size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, from, 0) : MAP_FAILED;
    if (size <= 0) return err_set(err, "the HDF5 library has made no file");
    if (map == MAP_FAILED) return err_set(err, "out of memory for an HDF5 file");
    image->map = map, image->size = (size_t)size;
    qsort(image->spans, (size_t)image->span_count, sizeof *image->spans, compare_places);
    uint64_t at = 0;
    for (int64_t k = 0; k < image->span_count; k++) {
        const H5Span *span = &image->spans[k];
        size_t bytes = tensor_bytes(&span->tensor);
        image->parts[image->count++] = (ArchivePart){image->map + at, span->place - at};
        image->parts[image->count++] = (ArchivePart){span->tensor.data, bytes};
        at = span->place + bytes;
    }
    image->parts[image->count++] = (ArchivePart){image->map + at, image->size - at};
    return true;
}

bool h5_write(const H5Array *arrays, int64_t count, H5Image *out, Err *err) {
    H5Image image = {0};
    image.spans = mem_alloc((size_t)count * sizeof *image.spans + 1);
    image.parts = mem_alloc((size_t)(2 * count + 1) * sizeof *image.parts);
    int file = memfd_create("cdl-h5", MFD_CLOEXEC);
    bool ok = (image.spans && image.parts && file >= 0) ||
              err_set(err, "not enough memory to make an HDF5 file");
    ok = ok && make_file(arrays, count, file, &image, err) &&
         list_parts(&image, file, err);
    if (file >= 0) close(file);
    if (ok)
        *out = image;
    else
        h5_image_free(&image);
    return ok;
}

bool h5_image_write(const H5Image *image, const char *path, Err *err) {
    Atomic file;
    if (!atomic_open(&file, path, err)) return false;
    bool ok = true;
    for (int64_t k = 0; ok && k < image->count; k++)
        ok = atomic_append(&file, image->parts[k].data, image->parts[k].bytes, err);
    if (ok) return atomic_commit(&file, err);
    atomic_cancel(&file);
    return false;
}
#endif
