/* HDF5 files, as Keras uses them: arrays at paths ("/layers/dense/vars/0"), and attributes
 * that hold texts.
 *
 *     H5File *file = h5_open("m.weights.h5", &err);
 *     for (int64_t k = 0; k < h5_count(file); k++)
 *         if (h5_is_array(file, k)) ok = ok && h5_read(file, k, &tensor, &err);
 *     h5_close(file);
 *
 *     H5Image image;
 *     H5Array arrays[] = {{"/layers/dense/vars/0", kernel}, {"/vars/0", count}};
 *     if (h5_write(arrays, 2, &image, &err)) h5_image_write(&image, path, &err);
 *     h5_image_free(&image);
 *
 * A file is opened by a child process, since the library does not withstand every damaged file; it
 * tells what is in it and where, and all arrays are read at once. Files are not trusted: links to elsewhere, arrays kept in other files, unknown filters and
 * arrays that are larger than the file can hold are refused before anything is allocated. */
#ifndef CDL_IO_H5_H
#define CDL_IO_H5_H
#include "io/archive.h"
#include "tensor/tensor.h"

typedef struct H5File H5File;

H5File *h5_open(const char *path, Err *err); /* NULL: err is set */
/* A file that is in memory, in a block of mem_alloc, which is taken over in any case; name is
 * for messages. */
H5File *h5_open_image(void *bytes, size_t size, const char *name, Err *err);
/* An entry of an archive; one that is stored as it is is read in its place. */
H5File *h5_open_entry(const Archive *archive, int64_t index, Err *err);
void h5_close(H5File *file);

/* Everything in the file, groups (the root, "", first) and arrays. */
int64_t h5_count(const H5File *file);
size_t h5_bytes(const H5File *file); /* no fewer than all arrays together */
const char *h5_path(const H5File *file, int64_t index); /* "/layers/dense" */
bool h5_is_array(const H5File *file, int64_t index);
/* The array as a tensor of the nearest dtype that holds its values. */
bool h5_read(const H5File *file, int64_t index, Tensor *out, Err *err);

typedef struct H5Texts {
    char **text;
    int64_t count; /* -1: there is no such attribute */
} H5Texts;

/* The attribute of that name: one text, or a list of them. */
bool h5_texts(const H5File *file, int64_t index, const char *name, H5Texts *out,
              Err *err);
void h5_texts_free(H5Texts *texts);

typedef struct H5Array {
    const char *path; /* groups on the way are made */
    Tensor tensor;    /* borrowed */
} H5Array;

typedef struct H5Span {
    uint64_t place;
    Tensor tensor;
} H5Span;

/* The bytes of a file in parts: larger arrays where they are, and what lies between them. */
typedef struct H5Image {
    ArchivePart *parts;
    int64_t count;
    size_t size; /* of all parts */
    char *map;   /* the file without its larger arrays, */
    H5Span *spans;
    int64_t span_count; /* which are here */
} H5Image;

/* A file that holds these arrays; the same arrays give the same bytes. */
bool h5_write(const H5Array *arrays, int64_t count, H5Image *out, Err *err);
bool h5_image_write(const H5Image *image, const char *path, Err *err);
void h5_image_free(H5Image *image);

#endif
