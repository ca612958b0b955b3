/* NumPy's .npz files: a zip archive with one .npy file per array. A name may hold slashes
 * ("dense/kernel"); its entry is the name with ".npy" behind it.
 *
 *     Npz npz = {0};
 *     if (!npz_load(path, &npz, &err)) ...
 *     for (int64_t k = 0; k < npz.count; k++) use(&npz.entries[k]);
 *     npz_free(&npz);
 *
 *     NpzEntry entries[] = {{"kernel", kernel}, {"bias", bias}};
 *     npz_save(path, entries, 2, false, &err);     // atomic; borrows the tensors */
#ifndef CDL_IO_NPZ_H
#define CDL_IO_NPZ_H
#include "tensor/tensor.h"

typedef struct NpzEntry {
    const char *name;
    Tensor tensor;
} NpzEntry;

typedef struct Npz {
    NpzEntry *entries; /* owns names and tensors */
    int64_t count;
} Npz;

bool npz_load(const char *path, Npz *out, Err *err);
void npz_free(Npz *npz);
bool npz_save(const char *path, const NpzEntry *entries, int64_t count, bool compress,
              Err *err);

#endif
