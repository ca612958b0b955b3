/* NumPy's .npy files (format versions 1 to 3, numpy/lib/format.py).
 *
 *     Tensor x = {0};
 *     if (!npy_load("x.npy", &x, &err)) ...
 *     if (!npy_save("y.npy", &x, &err)) ...      // atomic
 *
 * Reads numbers and booleans of either byte order and either order of axes; the types
 * that cdl does not have become the nearest one (io/element.h). Python objects are
 * refused: to load them is to run code from the file. Writes version 1, as NumPy does. */
#ifndef CDL_IO_NPY_H
#define CDL_IO_NPY_H
#include "io/element.h"

bool npy_load(const char *path, Tensor *out, Err *err);
bool npy_save(const char *path, const Tensor *tensor, Err *err);

/* One array from a reader, which must end behind it. */
bool npy_read(Reader *reader, Tensor *out, Err *err);

/* The bytes that stand before the data of a tensor in a file; returns their number. */
enum { NPY_HEADER = 512 };
size_t npy_header_write(const Tensor *tensor, char header[NPY_HEADER]);

typedef struct NpyHeader {
    Element element;
    bool swap;    /* bytes in the other order than this machine's */
    bool fortran; /* the first axis varies fastest */
    Shape shape;
} NpyHeader;

bool npy_header_read(Reader *reader, NpyHeader *out, Err *err);

#endif
