/* An HDF5 file in the hands of the library. Private to the h5_*.c files; the library's own code may
 * fail on damaged files, so this happens in a process of its own (h5_child.c). */
#ifndef CDL_IO_H5_SOURCE_H
#define CDL_IO_H5_SOURCE_H
#include "base/arena.h"
#include "io/h5.h"
#include "io/h5_library.h"
#include "io/reader.h"

typedef struct H5Entry {
    const char *path; /* "/layers/dense"; "" is the root */
    bool is_array;
} H5Entry;

typedef struct H5Source {
    const H5Library *h5;
    hid_t id;
    const char *name; /* for messages */
    uint64_t bytes;   /* of the file: nothing stored in it is larger */
    H5Entry *entries;
    int64_t count, room;
    Arena arena; /* paths */
} H5Source;

/* From a file, or from its bytes in memory (then path is NULL). */
bool h5_source_open(const char *path, void *image, size_t size, const char *name,
                    H5Source *out, Err *err);
/* An array as a tensor; or, when the file has the elements in one piece and just as the tensor
 * would, their place there, type and shape: then *out has no memory. */
bool h5_source_read(const H5Source *file, int64_t index, Tensor *out, uint64_t *place,
                    Err *err);
bool h5_source_texts(const H5Source *file, int64_t index, const char *name, H5Texts *out,
                     Err *err);

/* Opens a file, walks through it and writes everything in it to a descriptor, as h5_record.h says.
 * Ends the process. */
_Noreturn void h5_child(int to, const char *path, void *image, size_t size,
                        const char *name);

#endif
