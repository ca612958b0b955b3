/* NumPy's .npz files: a zip archive with one .npy file per array. A name may hold slashes
 * ("dense/kernel"); its entry is the name with ".npy" behind it.
 *
 *     NamedTensors npz = {0};
 *     if (!npz_load(path, &npz, &err)) ...
 *     for (int64_t k = 0; k < npz.count; k++) use(&npz.list[k]);
 *     named_free(&npz);
 *
 *     NamedTensor entries[] = {{"kernel", kernel}, {"bias", bias}};
 *     npz_save(path, entries, 2, false, &err);     // atomic; borrows the tensors */
#ifndef CDL_IO_NPZ_H
#define CDL_IO_NPZ_H
#include "io/named.h"

bool npz_load(const char *path, NamedTensors *out, Err *err);
bool npz_save(const char *path, const NamedTensor *entries, int64_t count, bool compress,
              Err *err);

#endif
