/* How a child process hands over what is in an HDF5 file: records one behind the other, each with
 * its name and its bytes behind it, both filled up to a multiple of 64. Arrays whose elements are
 * in the file just as a tensor has them are not handed over: their place in the file is, and the
 * parent reads them there. It trusts none of this. */
#ifndef CDL_IO_H5_RECORD_H
#define CDL_IO_H5_RECORD_H
#include <stdint.h>

typedef enum H5RecordKind {
    H5_GROUP = 1, /* name: its path */
    H5_ARRAY,     /* name: its path; bytes: the elements, here or in the file */
    H5_TEXTS,     /* an attribute of the group before it, dim[0] texts follow */
    H5_TEXT,      /* bytes: one of them */
    H5_ERROR,     /* bytes: what is wrong with the file */
    H5_END,
} H5RecordKind;

typedef struct H5Record {
    uint32_t kind, dtype, ndim, name_bytes;
    int64_t dim[8];
    uint64_t bytes;
    uint64_t place; /* of the elements in the file; 0: they follow here */
} H5Record;

enum { H5_RECORD_ALIGN = 64 };

static inline uint64_t h5_record_padding(uint64_t bytes) {
    return (H5_RECORD_ALIGN - bytes % H5_RECORD_ALIGN) % H5_RECORD_ALIGN;
}

#endif
