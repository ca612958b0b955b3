/* The HDF5 library, loaded when it is first used: Debian's draws in forty others, which few
 * runs need. Private to the h5_*.c files.
 *
 *     const H5Library *h5 = h5_library(0, &err);
 *     if (!h5) return false;
 *     hid_t file = h5->Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
 *
 * The library is used by the main thread alone and stays loaded; it prints nothing and
 * leaves nothing to do at exit. */
#ifndef CDL_IO_H5_LIBRARY_H
#define CDL_IO_H5_LIBRARY_H
#include <hdf5.h>
#include "base/err.h"

/* The flags (H5F_ACC_...) would open the library that is linked, and check its version. */
#undef H5OPEN
#undef H5CHECK
#define H5OPEN
#define H5CHECK

/* clang-format off */
#define H5_FUNCTIONS(X)                                                                  \
    X(open) X(dont_atexit) X(free_memory) X(Eset_auto2) X(Fopen) X(Fcreate) X(Fclose)    \
    X(Fflush) X(Gopen2) X(Gcreate2) X(Gclose) X(Gget_info) X(Lget_name_by_idx)           \
    X(Lexists) X(Oopen) X(Oclose) X(Iget_type) X(Dopen2) X(Dcreate2) X(Dclose)           \
    X(Dread) X(Dwrite) X(Dget_type) X(Dget_space) X(Dget_storage_size) X(Dget_offset)    \
    X(Dget_create_plist) X(Aexists) X(Aopen) X(Aread) X(Aclose) X(Aget_type)             \
    X(Aget_space) X(Sclose) X(Screate) X(Screate_simple) X(Sget_simple_extent_ndims)     \
    X(Sget_simple_extent_dims) X(Sget_simple_extent_npoints) X(Tclose) X(Tequal)         \
    X(Tcopy) X(Tget_class) X(Tget_size) X(Tget_sign) X(Tget_super) X(Tset_size)          \
    X(Tset_cset) X(Tset_strpad) X(Tis_variable_str) X(Pcreate) X(Pclose)                 \
    X(Pset_fapl_core) X(Pset_fapl_stdio) X(Pset_file_image)                              \
    X(Pset_file_image_callbacks) X(Pset_obj_track_times) X(Pset_alloc_time)              \
    X(Pset_fill_time) X(Pget_layout) X(Pget_chunk) X(Pget_external_count)                \
    X(Pget_nfilters) X(Pget_filter2) X(Pset_create_intermediate_group)
/* clang-format on */

/* Variables of the library, which hold their value once it is open. */
/* clang-format off */
#define H5_CONSTANTS(X)                                                                  \
    X(P_CLS_FILE_ACCESS_ID) X(P_CLS_DATASET_CREATE_ID) X(P_CLS_LINK_CREATE_ID)           \
    X(T_NATIVE_UINT8) X(T_NATIVE_INT32) X(T_NATIVE_INT64) X(T_NATIVE_FLOAT)              \
    X(T_NATIVE_DOUBLE) X(T_NATIVE_UINT16) X(T_STD_U8LE) X(T_STD_I32LE) X(T_STD_I64LE)    \
    X(T_IEEE_F32LE) X(T_IEEE_F64LE) X(T_C_S1)
/* clang-format on */

typedef struct H5Library {
#define X(name) __typeof__(H5##name) *name;
    H5_FUNCTIONS(X)
#undef X
#define X(name) hid_t name;
    H5_CONSTANTS(X)
#undef X
    /* Its structure differs between versions, but begins with the link's kind in all. */
    herr_t (*Lget_info_by_idx)(hid_t place, const char *group, H5_index_t by,
                               H5_iter_order_t order, hsize_t n, void *info, hid_t plist);
} H5Library;

/* NULL: err says what is missing. The library crashes where memory runs out in it: what it
 * takes by itself, and `more` bytes, can be had when this is called. */
const H5Library *h5_library(size_t more, Err *err);

#endif
