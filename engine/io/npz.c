#include "io/npz.h"
#include <string.h>
#include "base/mem.h"
#include "io/archive.h"
#include "io/npy.h"

static const char suffix[] = ".npy";
enum { SUFFIX = 4 };

/* Entry `index` of the archive as the next one of npz; folders are passed over. */
static bool load_entry(const Archive *archive, int64_t index, NamedTensors *npz,
                       Err *err) {
    Reader reader;
    const char *name = archive_name(archive, index);
    size_t length = name ? strlen(name) : 0;
    if (length && name[length - 1] == '/') return true;
    if (!archive_reader(archive, index, &reader, err)) return false;
    NamedTensor *entry = &npz->list[npz->count];
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

bool npz_load(const char *path, NamedTensors *out, Err *err) {
    Archive *archive = archive_open(path, err);
    if (!archive) return false;
    int64_t count = archive_count(archive);
    NamedTensors npz = {.list = mem_zalloc((size_t)count * sizeof *npz.list + 1)};
    bool ok = npz.list || err_set(err, "%.600s: not enough memory to read it", path);
    for (int64_t k = 0; ok && k < count; k++) ok = load_entry(archive, k, &npz, err);
    archive_close(archive);
    ok = ok && named_check(path, npz.list, npz.count, err);
    if (ok)
        *out = npz;
    else
        named_free(&npz);
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

bool npz_save(const char *path, const NamedTensor *entries, int64_t count, bool compress,
              Err *err) {
    if (!named_check(path, entries, count, err)) return false;
    ArchiveWriter *writer = archive_create(path, err);
    bool ok = writer != NULL;
    for (int64_t k = 0; ok && k < count; k++) {
        Tensor straight = {0};
        ok = tensor_contiguous(&entries[k].tensor, &straight, err) &&
             add_entry(writer, entries[k].name, &straight, compress, err);
        tensor_release(&straight);
    }
    if (ok)
        ok = archive_finish(writer, err);
    else if (writer)
        archive_cancel(writer);
    return ok;
}
