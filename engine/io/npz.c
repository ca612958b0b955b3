#include "io/npz.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/archive.h"
#include "io/npy.h"

static const char suffix[] = ".npy";
enum { SUFFIX = 4 };

void npz_free(Npz *npz) {
    for (int64_t k = 0; k < npz->count; k++) {
        mem_free((void *)(uintptr_t)npz->entries[k].name);
        tensor_release(&npz->entries[k].tensor);
    }
    mem_free(npz->entries);
    *npz = (Npz){0};
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A name that stands twice would let one array hide another. */
static bool check_names(const char *path, const char **names, int64_t count, Err *err) {
    qsort(names, (size_t)count, sizeof *names, compare_names);
    for (int64_t k = 1; k < count; k++)
        if (strcmp(names[k - 1], names[k]) == 0)
            return err_set(err, "%.600s: the name '%.160s' stands there twice", path,
                           names[k]);
    return true;
}

static bool check_unique(const char *path, const NpzEntry *entries, int64_t count,
                         Err *err) {
    const char **names = mem_alloc((size_t)count * sizeof *names + 1);
    if (!names) return err_set(err, "%.600s: not enough memory for its names", path);
    for (int64_t k = 0; k < count; k++) names[k] = entries[k].name;
    bool ok = check_names(path, names, count, err);
    mem_free(names);
    return ok;
}

/* Entry `index` of the archive as the next one of npz; folders are passed over. */
static bool load_entry(const Archive *archive, int64_t index, Npz *npz, Err *err) {
    Reader reader;
    const char *name = archive_name(archive, index);
    size_t length = name ? strlen(name) : 0;
    if (length && name[length - 1] == '/') return true;
    if (!archive_reader(archive, index, &reader, err)) return false;
    NpzEntry *entry = &npz->entries[npz->count];
    bool ok =
        (length > SUFFIX && strcmp(name + length - SUFFIX, suffix) == 0) ||
        err_set(err, "%s: is not an array (its name does not end in .npy)", reader.name);
    ok = ok && npy_read(&reader, &entry->tensor, err);
    if (ok) {
        char *copy = mem_strdup(name);
        if (copy)
            copy[length - SUFFIX] = '\0';
        else
            ok = err_set(err, "%s: not enough memory for its name", reader.name);
        entry->name = copy;
        npz->count++;
    }
    reader_close(&reader);
    return ok;
}

bool npz_load(const char *path, Npz *out, Err *err) {
    Archive *archive = archive_open(path, err);
    if (!archive) return false;
    int64_t count = archive_count(archive);
    Npz npz = {.entries = mem_zalloc((size_t)count * sizeof *npz.entries + 1)};
    bool ok = npz.entries || err_set(err, "%.600s: not enough memory to read it", path);
    for (int64_t k = 0; ok && k < count; k++) ok = load_entry(archive, k, &npz, err);
    archive_close(archive);
    ok = ok && check_unique(path, npz.entries, npz.count, err);
    if (ok)
        *out = npz;
    else
        npz_free(&npz);
    return ok;
}

static bool add_entry(ArchiveWriter *writer, const char *name, const Tensor *tensor,
                      bool compress, Err *err) {
    char header[NPY_HEADER];
    size_t length = strlen(name);
    char *entry = mem_alloc(length + sizeof suffix);
    if (!entry)
        return err_set(err, "entry '%.160s': not enough memory for its name", name);
    memcpy(entry, name, length);
    memcpy(entry + length, suffix, sizeof suffix);
    bool ok = archive_add(writer, entry, header, npy_header_write(tensor, header),
                          tensor->data, tensor_bytes(tensor), compress, err);
    mem_free(entry);
    return ok;
}

bool npz_save(const char *path, const NpzEntry *entries, int64_t count, bool compress,
              Err *err) {
    if (!check_unique(path, entries, count, err)) return false;
    /* The archive reads the data when it is finished, so copies of views live until
     * then. */
    Tensor *straight = mem_zalloc((size_t)count * sizeof *straight + 1);
    if (!straight) return err_set(err, "%.600s: not enough memory to write it", path);
    ArchiveWriter *writer = archive_create(path, err);
    bool ok = writer != NULL;
    for (int64_t k = 0; ok && k < count; k++)
        ok = tensor_contiguous(&entries[k].tensor, &straight[k], err) &&
             add_entry(writer, entries[k].name, &straight[k], compress, err);
    if (ok)
        ok = archive_finish(writer, err);
    else if (writer)
        archive_cancel(writer);
    for (int64_t k = 0; k < count; k++) tensor_release(&straight[k]);
    mem_free(straight);
    return ok;
}
