/* Opening HDF5 files and finding what is in them. */
#ifdef CDL_HDF5
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/h5_source.h"

enum {
    DEPTH = 64,        /* groups in groups; a file may hold itself */
    ENTRIES = 1 << 20, /* groups and arrays */
    PATH = 2048,
};

static bool no_memory(const H5Source *file, Err *err) {
    return err_set(err, "%s: not enough memory to read it", file->name);
}

static bool add_entry(H5Source *file, const char *path, bool is_array, Err *err) {
    if (file->count == ENTRIES)
        return err_set(err, "%s: more than %d groups and arrays", file->name, ENTRIES);
    if (file->count == file->room) {
        int64_t room = file->room ? 2 * file->room : 64;
        H5Entry *grown = mem_grow(file->entries, (size_t)room * sizeof *grown);
        if (!grown) return no_memory(file, err);
        file->entries = grown, file->room = room;
    }
    char *copy = arena_strdup(&file->arena, path);
    if (!copy) return no_memory(file, err);
    file->entries[file->count++] = (H5Entry){copy, is_array};
    return true;
}

/* What is behind link n of a group: its name goes to the end of the path. */
static bool link_name(const H5Source *file, hid_t group, hsize_t n, char *path,
                      Err *err) {
    union {
        int kind; /* H5L_type_t is the first member in every version */
        char room[128];
    } info;
    const H5Library *h5 = file->h5;
    size_t length = strlen(path);
    char name[PATH], printable[160];
    ssize_t got = h5->Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, n, name,
                                       sizeof name, H5P_DEFAULT);
    if (got <= 0 || h5->Lget_info_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, n, &info,
                                         H5P_DEFAULT) < 0)
        return err_set(err, "%s: damaged: entry %llu of '%s/' cannot be read", file->name,
                       (unsigned long long)n + 1, path);
    text_printable(name, strlen(name), printable, sizeof printable);
    if (info.kind != H5L_TYPE_HARD)
        return err_set(err, "%s: '%s/%s' is a link to elsewhere, which is not followed",
                       file->name, path, printable);
    if (length + (size_t)got + 2 > PATH)
        return err_set(err, "%s: the name '%s...' is too long", file->name, printable);
    snprintf(path + length, PATH - length, "/%s", name);
    return true;
}

static bool walk(H5Source *file, hid_t group, char *path, int depth, Err *err);

static bool walk_entry(H5Source *file, hid_t group, char *path, int depth, Err *err) {
    const H5Library *h5 = file->h5;
    hid_t object = h5->Oopen(group, strrchr(path, '/') + 1, H5P_DEFAULT);
    if (object < 0)
        return err_set(err, "%s: damaged: '%s' cannot be opened", file->name, path);
    H5I_type_t kind = h5->Iget_type(object);
    bool ok = true;
    if (kind == H5I_GROUP)
        ok =
            add_entry(file, path, false, err) && walk(file, object, path, depth + 1, err);
    else if (kind == H5I_DATASET)
        ok = add_entry(file, path, true, err);
    h5->Oclose(object);
    return ok;
}

static bool walk(H5Source *file, hid_t group, char *path, int depth, Err *err) {
    H5G_info_t info;
    if (depth > DEPTH)
        return err_set(err, "%s: groups more than %d deep", file->name, DEPTH);
    if (file->h5->Gget_info(group, &info) < 0)
        return err_set(err, "%s: damaged: the group '%s' cannot be read", file->name,
                       path);
    if (info.nlinks > ENTRIES)
        return err_set(err, "%s: damaged: the group '%s' claims to hold %llu entries",
                       file->name, path, (unsigned long long)info.nlinks);
    size_t length = strlen(path);
    bool ok = true;
    for (hsize_t n = 0; ok && n < info.nlinks; n++) {
        ok = link_name(file, group, n, path, err) &&
             walk_entry(file, group, path, depth, err);
        path[length] = '\0';
    }
    return ok;
}

static bool list_entries(H5Source *file, Err *err) {
    char path[PATH] = "";
    hid_t root = file->h5->Gopen2(file->id, "/", H5P_DEFAULT);
    if (root < 0) return err_set(err, "%s: damaged: it has no root group", file->name);
    bool ok = add_entry(file, path, false, err) && walk(file, root, path, 0, err);
    file->h5->Gclose(root);
    return ok;
}

/* ---- a file in memory: the library reads our block, without a copy of its own ---- */

static void *image_block(size_t size, H5FD_file_image_op_t op, void *context) {
    return context;
}

static void *image_copy(void *to, const void *from, size_t size, H5FD_file_image_op_t op,
                        void *context) {
    return to == from ? to : memcpy(to, from, size);
}

static void *image_grow(void *block, size_t size, H5FD_file_image_op_t op,
                        void *context) {
    return NULL;
}

static herr_t image_keep(void *block, H5FD_file_image_op_t op, void *context) {
    return 0;
}

static void *context_same(void *context) { return context; }
static herr_t context_keep(void *context) { return 0; }

static hid_t open_memory(const H5Library *h5, void *bytes, size_t size) {
    H5FD_file_image_callbacks_t callbacks = {
        .image_malloc = image_block,
        .image_memcpy = image_copy,
        .image_realloc = image_grow,
        .image_free = image_keep,
        .udata_copy = context_same,
        .udata_free = context_keep,
        .udata = bytes,
    };
    hid_t file = -1, access = h5->Pcreate(h5->P_CLS_FILE_ACCESS_ID);
    if (access >= 0 && h5->Pset_fapl_core(access, 1 << 16, 0) >= 0 &&
        h5->Pset_file_image_callbacks(access, &callbacks) >= 0 &&
        h5->Pset_file_image(access, bytes, size) >= 0)
        file = h5->Fopen("cdl-image.h5", H5F_ACC_RDONLY, access);
    if (access >= 0) h5->Pclose(access);
    return file;
}

/* ---- opening ---- */

bool h5_source_open(const char *path, void *image, size_t size, const char *name,
                    H5Source *out, Err *err) {
    const H5Library *h5 = h5_library(0, err);
    if (!h5) return false;
    H5Source file = {.h5 = h5, .name = name, .bytes = size};
    file.id = image ? open_memory(h5, image, size)
                    : h5->Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file.id < 0)
        return err_set(err, "%s: not an HDF5 file, or one that is damaged or cut off",
                       name);
    if (!list_entries(&file, err)) return false;
    *out = file;
    return true;
}
#endif
