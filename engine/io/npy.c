#include "io/npy.h"
#include <string.h>
#include "io/atomic.h"

/* In Fortran's order the data are a row-major array with the axes reversed. */
static bool reverse_axes(const Reader *reader, Tensor *tensor, Err *err) {
    int perm[SHAPE_MAX], ndim = tensor->shape.ndim;
    Err inner = {0};
    Tensor view = {0}, straight = {0};
    for (int k = 0; k < ndim; k++) perm[k] = ndim - 1 - k;
    bool ok = tensor_permute(tensor, perm, &view, &inner) &&
              tensor_contiguous(&view, &straight, &inner);
    tensor_release(&view);
    tensor_release(tensor);
    if (!ok) return err_set(err, "%s: %s", reader->name, inner.text);
    *tensor = straight;
    return true;
}

bool npy_read(Reader *reader, Tensor *out, Err *err) {
    NpyHeader header;
    Tensor tensor = {0};
    if (!npy_header_read(reader, &header, err)) return false;
    Shape shape = header.shape;
    for (int k = 0; header.fortran && k < shape.ndim; k++)
        shape.dim[k] = header.shape.dim[shape.ndim - 1 - k];
    if (!element_read(reader, header.element, header.swap, shape, &tensor, err))
        return false;
    if (!reader_end(reader, err)) return tensor_release(&tensor), false;
    if (header.fortran && shape.ndim > 1 && !reverse_axes(reader, &tensor, err))
        return false;
    *out = tensor;
    return true;
}

bool npy_load(const char *path, Tensor *out, Err *err) {
    Reader reader;
    if (!reader_open(&reader, path, err)) return false;
    bool ok = npy_read(&reader, out, err);
    reader_close(&reader);
    return ok;
}

static bool append(Atomic *file, const Tensor *tensor, Err *err) {
    char header[NPY_HEADER];
    size_t bytes = npy_header_write(tensor, header);
    return atomic_append(file, header, bytes, err) &&
           atomic_append(file, tensor->data, tensor_bytes(tensor), err);
}

bool npy_save(const char *path, const Tensor *tensor, Err *err) {
    Atomic file;
    Tensor straight = {0};
    if (!tensor_contiguous(tensor, &straight, err)) return false;
    bool ok = atomic_open(&file, path, err);
    if (ok) {
        ok = append(&file, &straight, err);
        if (ok)
            ok = atomic_commit(&file, err);
        else
            atomic_cancel(&file);
    }
    tensor_release(&straight);
    return ok;
}
