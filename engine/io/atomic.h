/* Writing a file all or nothing. The bytes go to a temporary file in the target's folder,
 * which takes the target's place only when all of it is on the disk. Whatever fails
 * before that, the temporary is removed and a file that was there before stays as it was.
 *
 *     Atomic file;
 *     if (!atomic_open(&file, "weights.npz", &err)) return false;
 *     if (!atomic_append(&file, data, bytes, &err)) return atomic_cancel(&file), false;
 *     return atomic_commit(&file, &err);
 *
 * An existing target keeps its permissions, and a symbolic link is followed. Folders and
 * devices are refused. */
#ifndef CDL_IO_ATOMIC_H
#define CDL_IO_ATOMIC_H
#include <stddef.h>
#include "base/err.h"

typedef struct Atomic {
    char *path;      /* the target, links resolved */
    char *temporary; /* beside it */
    int fd;
} Atomic;

bool atomic_open(Atomic *out, const char *path, Err *err);
bool atomic_append(Atomic *file, const void *data, size_t bytes, Err *err);
/* Closes the file, whether it succeeds or fails. */
bool atomic_commit(Atomic *file, Err *err);
void atomic_cancel(Atomic *file);

/* All of it in one call. */
bool atomic_write(const char *path, const void *data, size_t bytes, Err *err);

/* Makes a folder and those above it; one that exists is fine. */
bool folder_make(const char *path, Err *err);

#endif
