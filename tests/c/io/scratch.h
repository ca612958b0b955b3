/* Files for the tests of io: a folder of their own, made at first use and removed at
 * exit. */
#ifndef CDL_TESTS_IO_SCRATCH_H
#define CDL_TESTS_IO_SCRATCH_H
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "tensor/tensor.h"

static char scratch_folder[256];

static void scratch_remove(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch_folder);
    if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", scratch_folder);
}

/* The path of a file in the folder; four of them are valid at a time. */
static inline const char *scratch(const char *name) {
    static char paths[4][512];
    static int turn;
    if (!*scratch_folder) {
        const char *root = getenv("TMPDIR");
        snprintf(scratch_folder, sizeof scratch_folder, "%s/cdl-io-XXXXXX",
                 root ? root : "/tmp");
        if (!mkdtemp(scratch_folder)) exit(2);
        atexit(scratch_remove);
    }
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}

static inline const char *scratch_write(const char *name, const void *data,
                                        size_t bytes) {
    const char *path = scratch(name);
    /* Some file systems flush a file that is cut to nothing and written anew. */
    unlink(path);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) exit(2);
    return path;
}

static inline const char *scratch_text(const char *name, const char *text) {
    return scratch_write(name, text, strlen(text));
}

/* The whole of a file, for mem_free. */
static inline unsigned char *scratch_read(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) exit(2);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = mem_alloc(*bytes + 1);
    if (!data || fread(data, 1, *bytes, file) != *bytes) exit(2);
    fclose(file);
    return data;
}

/* Files in the folder, hidden ones too. */
static inline int scratch_count(void) {
    int count = 0;
    DIR *folder = opendir(scratch_folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder) closedir(folder);
    return count;
}

/* A tensor whose elements are start, start + 1, ... */
static inline Tensor ramp(DType dtype, Shape shape, double start) {
    Tensor tensor = {0};
    if (!tensor_new(&tensor, dtype, shape, NULL)) exit(2);
    for (int64_t i = 0; i < tensor_size(&tensor); i++)
        dtype_store(dtype, tensor.data + (size_t)i * dtype_size(dtype),
                    start + (double)i);
    return tensor;
}

/* Element i of a contiguous tensor. */
static inline double at(const Tensor *tensor, int64_t i) {
    return dtype_load(tensor->dtype,
                      tensor->data + (size_t)i * dtype_size(tensor->dtype));
}

/* Same dtype, shape and bytes; both contiguous. */
static inline bool same(const Tensor *a, const Tensor *b) {
    return a->dtype == b->dtype && shape_equal(&a->shape, &b->shape) &&
           memcmp(a->data, b->data, tensor_bytes(a)) == 0;
}

#endif
