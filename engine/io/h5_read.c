/* Reading the arrays of an HDF5 file. */
#ifdef CDL_HDF5
#include <string.h>
#include "base/mem.h"
#include "io/h5_source.h"

/* What is read of an array: how its elements are given by the library, and what becomes of
 * them. */
typedef struct Elements {
    DType dtype;
    hid_t memory;  /* the library's type for them; the file's own: bytes as they are */
    bool bfloat16; /* upper halves of float32, kept as two raw bytes */
} Elements;

typedef struct Dataset {
    const H5Source *file;
    const char *path;
    hid_t id, type, space, plist;
} Dataset;

static void dataset_close(Dataset *set) {
    const H5Library *h5 = set->file->h5;
    if (set->plist >= 0) h5->Pclose(set->plist);
    if (set->space >= 0) h5->Sclose(set->space);
    if (set->type >= 0) h5->Tclose(set->type);
    if (set->id >= 0) h5->Dclose(set->id);
}

static bool fail(const Dataset *set, Err *err, const char *what) {
    return err_set(err, "%s: '%s' %s", set->file->name, set->path, what);
}

static bool dataset_open(const H5Source *file, const char *path, Dataset *out, Err *err) {
    const H5Library *h5 = file->h5;
    Dataset set = {file, path, -1, -1, -1, -1};
    set.id = h5->Dopen2(file->id, path, H5P_DEFAULT);
    if (set.id >= 0) {
        set.type = h5->Dget_type(set.id);
        set.space = h5->Dget_space(set.id);
        set.plist = h5->Dget_create_plist(set.id);
    }
    if (set.type >= 0 && set.space >= 0 && set.plist >= 0) {
        *out = set;
        return true;
    }
    dataset_close(&set);
    return fail(&set, err, "is damaged");
}

static bool elements_of(const Dataset *set, Elements *out, Err *err) {
    const H5Library *h5 = set->file->h5;
    size_t size = h5->Tget_size(set->type);
    H5T_class_t kind = h5->Tget_class(set->type);
    if (kind == H5T_FLOAT) {
        *out = size > 4 ? (Elements){DTYPE_FLOAT64, h5->T_NATIVE_DOUBLE, false}
                        : (Elements){DTYPE_FLOAT32, h5->T_NATIVE_FLOAT, false};
        return true;
    }
    bool is_unsigned = kind == H5T_INTEGER && h5->Tget_sign(set->type) == H5T_SGN_NONE;
    if (kind == H5T_INTEGER) {
        if (is_unsigned && size == 1)
            *out = (Elements){DTYPE_UINT8, h5->T_NATIVE_UINT8, false};
        else if (size < 4 || (size == 4 && !is_unsigned))
            *out = (Elements){DTYPE_INT32, h5->T_NATIVE_INT32, false};
        else
            *out = (Elements){DTYPE_INT64, h5->T_NATIVE_INT64, false};
        return true;
    }
    if (kind == H5T_ENUM && size == 1) { /* how h5py keeps booleans */
        *out = (Elements){DTYPE_BOOL, set->type, false};
        return true;
    }
    if (kind == H5T_OPAQUE && size == 2) {
        *out = (Elements){DTYPE_FLOAT32, set->type, true};
        return true;
    }
    return fail(set, err, "holds something else than numbers");
}

static bool shape_of_space(const Dataset *set, Shape *out, Err *err) {
    const H5Library *h5 = set->file->h5;
    hsize_t dims[H5S_MAX_RANK];
    int ndim = h5->Sget_simple_extent_ndims(set->space);
    if (ndim < 0 || ndim > SHAPE_MAX ||
        h5->Sget_simple_extent_dims(set->space, dims, NULL) < 0)
        return err_set(err, "%s: '%s' has %d axes; at most %d can be read",
                       set->file->name, set->path, ndim, SHAPE_MAX);
    Shape shape = {.ndim = ndim};
    for (int k = 0; k < ndim; k++) {
        if (dims[k] > INT64_MAX / 16)
            return fail(set, err, "is damaged: its size is impossible");
        shape.dim[k] = (int64_t)dims[k];
    }
    *out = shape;
    return true;
}

/* Compression that can be read without loading code from elsewhere. */
static bool check_filters(const Dataset *set, bool *packed, Err *err) {
    const H5Library *h5 = set->file->h5;
    int count = h5->Pget_nfilters(set->plist);
    *packed = count > 0;
    for (int k = 0; k < count; k++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = h5->Pget_filter2(set->plist, (unsigned)k, &flags, &values,
                                               NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32)
            return err_set(err,
                           "%s: '%s' is packed by filter %d; gzip, shuffle and "
                           "fletcher32 can be read",
                           set->file->name, set->path, (int)filter);
    }
    return count >= 0 || fail(set, err, "is damaged");
}

/* The block that one chunk takes in memory must not be out of proportion either. */
static bool check_chunk(const Dataset *set, size_t element, size_t bytes, Err *err) {
    hsize_t dims[H5S_MAX_RANK];
    int ndim = set->file->h5->Pget_chunk(set->plist, H5S_MAX_RANK, dims);
    size_t chunk = element;
    bool fits = ndim > 0;
    for (int k = 0; fits && k < ndim; k++) fits = mem_product(chunk, dims[k], &chunk);
    if (fits && chunk / 8 <= bytes + (1 << 20)) return true;
    return fail(set, err, "is damaged: its chunks are larger than the array");
}

/* All of the array's bytes must be able to come out of what the file holds of it. */
static bool check_storage(const Dataset *set, const Shape *shape, Err *err) {
    enum { UNWRITTEN = 1 << 16 }; /* bytes of an array that nobody has written */
    const H5Library *h5 = set->file->h5;
    size_t element = h5->Tget_size(set->type);
    if (!shape_check(shape, element, NULL))
        return fail(set, err, "is damaged: its size is impossible");
    uint64_t bytes = (uint64_t)shape_size(shape) * element;
    uint64_t stored = h5->Dget_storage_size(set->id);
    H5D_layout_t layout = h5->Pget_layout(set->plist);
    bool packed;
    if (layout == H5D_VIRTUAL || h5->Pget_external_count(set->plist) != 0)
        return fail(set, err, "is kept in other files, which are not read");
    if (!check_filters(set, &packed, err)) return false;
    if (layout == H5D_CHUNKED && !check_chunk(set, element, bytes, err)) return false;
    if (stored > set->file->bytes || (packed ? bytes / DEFLATE_RATIO > stored + UNWRITTEN
                                             : bytes > stored && bytes > UNWRITTEN))
        return err_set(err,
                       "%s: '%s' is damaged: an array of %llu bytes in %llu stored ones",
                       set->file->name, set->path, (unsigned long long)bytes,
                       (unsigned long long)stored);
    return true;
}

/* The upper halves of float32 numbers, at the end of the block, become whole ones. */
static void widen(Tensor *tensor) {
    size_t count = (size_t)tensor_size(tensor);
    const char *from = tensor->data + 2 * count;
    for (size_t k = 0; k < count; k++) {
        uint16_t half;
        memcpy(&half, from + 2 * k, sizeof half);
        uint32_t whole = (uint32_t)half << 16;
        memcpy(tensor->data + 4 * k, &whole, sizeof whole);
    }
}

/* Where the file has the elements in one piece, as they are in memory; 0: it does not. */
static uint64_t place_of(const Dataset *set, const Elements *elements, uint64_t bytes) {
    const H5Library *h5 = set->file->h5;
    if (bytes == 0 || elements->bfloat16 || elements->dtype == DTYPE_BOOL ||
        h5->Pget_layout(set->plist) != H5D_CONTIGUOUS ||
        h5->Dget_storage_size(set->id) != bytes ||
        h5->Tequal(set->type, elements->memory) <= 0)
        return 0;
    haddr_t place = h5->Dget_offset(set->id);
    return place == HADDR_UNDEF ? 0 : place;
}

static bool read_elements(const Dataset *set, Tensor *out, uint64_t *place, Err *err) {
    Elements elements;
    Shape shape;
    Tensor tensor;
    if (!shape_of_space(set, &shape, err) || !elements_of(set, &elements, err) ||
        !check_storage(set, &shape, err))
        return false;
    uint64_t bytes = (uint64_t)shape_size(&shape) * dtype_size(elements.dtype);
    *place = place_of(set, &elements, bytes);
    if (*place) {
        *out = (Tensor){.dtype = elements.dtype, .shape = shape};
        return (*place < set->file->bytes && bytes <= set->file->bytes - *place) ||
               fail(set, err, "is damaged or cut off");
    }
    if (!tensor_new(&tensor, elements.dtype, shape, NULL))
        return fail(set, err, "does not fit in memory");
    char *to = tensor.data + (elements.bfloat16 ? 2 * tensor_size(&tensor) : 0);
    if (tensor_size(&tensor) > 0 &&
        set->file->h5->Dread(set->id, elements.memory, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                             to) < 0) {
        tensor_release(&tensor);
        return fail(set, err, "is damaged or cut off");
    }
    if (elements.bfloat16) widen(&tensor);
    if (elements.dtype == DTYPE_BOOL)
        for (int64_t k = 0; k < tensor_size(&tensor); k++)
            tensor.data[k] = tensor.data[k] != 0;
    *out = tensor;
    return true;
}

bool h5_source_read(const H5Source *file, int64_t index, Tensor *out, uint64_t *place,
                    Err *err) {
    Dataset set;
    if (!dataset_open(file, file->entries[index].path, &set, err)) return false;
    bool ok = read_elements(&set, out, place, err);
    dataset_close(&set);
    return ok;
}
#endif
