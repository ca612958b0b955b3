/* An open HDF5 file; private to h5_open.c, h5_read.c and h5_texts.c. */
#ifndef CDL_IO_H5_FILE_H
#define CDL_IO_H5_FILE_H
#include "base/arena.h"
#include "io/h5.h"
#include "io/h5_library.h"
#include "io/reader.h"

typedef struct H5Entry {
    const char *path;
    bool is_array;
} H5Entry;

struct H5File {
    const H5Library *h5;
    hid_t id;
    char name[READER_NAME];
    uint64_t bytes; /* of the file: nothing stored in it is larger */
    void *image;    /* its bytes, when it is in memory */
    H5Entry *entries;
    int64_t count, room;
    Arena arena; /* paths */
};

#endif
