/* Attributes of an HDF5 file that hold texts: Keras keeps JSON and lists of names in them. */
#ifdef CDL_HDF5
#include <string.h>
#include "base/mem.h"
#include "io/h5_source.h"

typedef struct Attribute {
    const H5Source *file;
    const char *path, *name;
    hid_t id, type, space;
} Attribute;

static bool fail(const Attribute *a, Err *err, const char *what) {
    return err_set(err, "%s: the attribute '%s' of '%s/' %s", a->file->name, a->name,
                   a->path, what);
}

static char *copy_text(const char *from, size_t length) {
    char *copy = mem_alloc(length + 1);
    if (!copy) return NULL;
    memcpy(copy, from, length);
    copy[length] = '\0';
    return copy;
}

/* Texts of the same room each, one behind the other. */
static bool read_fixed(const Attribute *a, H5Texts *texts, Err *err) {
    size_t size = a->file->h5->Tget_size(a->type), bytes;
    if (!mem_product(size, (size_t)texts->count, &bytes) || bytes > a->file->bytes)
        return fail(a, err, "is damaged: it is larger than the file");
    char *block = mem_alloc(bytes + 1);
    bool ok = (block && a->file->h5->Aread(a->id, a->type, block) >= 0) ||
              fail(a, err, "cannot be read");
    for (int64_t k = 0; ok && k < texts->count; k++) {
        const char *text = block + size * (size_t)k;
        texts->text[k] = copy_text(text, strnlen(text, size));
        ok = texts->text[k] || fail(a, err, "does not fit in memory");
    }
    mem_free(block);
    return ok;
}

/* Texts that the library allocates. */
static bool read_variable(const Attribute *a, H5Texts *texts, Err *err) {
    const H5Library *h5 = a->file->h5;
    char **list = mem_zalloc((size_t)texts->count * sizeof *list + 1);
    bool ok =
        (list && h5->Aread(a->id, a->type, list) >= 0) || fail(a, err, "cannot be read");
    for (int64_t k = 0; ok && k < texts->count; k++) {
        const char *text = list[k] ? list[k] : "";
        texts->text[k] = copy_text(text, strlen(text));
        ok = texts->text[k] || fail(a, err, "does not fit in memory");
    }
    for (int64_t k = 0; list && k < texts->count; k++)
        if (list[k]) h5->free_memory(list[k]);
    mem_free(list);
    return ok;
}

static bool read_texts(const Attribute *a, H5Texts *out, Err *err) {
    const H5Library *h5 = a->file->h5;
    hssize_t count = h5->Sget_simple_extent_npoints(a->space);
    if (count < 0 || (uint64_t)count > a->file->bytes)
        return fail(a, err, "is damaged: it is larger than the file");
    if (count > 0 && h5->Tget_class(a->type) != H5T_STRING)
        return fail(a, err, "holds something else than text");
    H5Texts texts = {mem_zalloc((size_t)count * sizeof *texts.text + 1), count};
    if (!texts.text) return fail(a, err, "does not fit in memory");
    bool ok =
        count == 0 || (h5->Tis_variable_str(a->type) > 0 ? read_variable(a, &texts, err)
                                                         : read_fixed(a, &texts, err));
    if (ok)
        *out = texts;
    else
        h5_texts_free(&texts);
    return ok;
}

bool h5_source_texts(const H5Source *file, int64_t index, const char *name, H5Texts *out,
                     Err *err) {
    const H5Library *h5 = file->h5;
    const char *path = file->entries[index].path;
    Attribute a = {file, path, name, -1, -1, -1};
    hid_t object = h5->Oopen(file->id, *path ? path : "/", H5P_DEFAULT);
    htri_t there = object >= 0 ? h5->Aexists(object, name) : -1;
    bool ok = there >= 0 || fail(&a, err, "cannot be read");
    if (there == 0) *out = (H5Texts){.count = -1};
    if (there > 0) {
        a.id = h5->Aopen(object, name, H5P_DEFAULT);
        a.type = a.id >= 0 ? h5->Aget_type(a.id) : -1;
        a.space = a.id >= 0 ? h5->Aget_space(a.id) : -1;
        ok = a.type >= 0 && a.space >= 0 ? read_texts(&a, out, err)
                                         : fail(&a, err, "is damaged");
    }
    if (a.space >= 0) h5->Sclose(a.space);
    if (a.type >= 0) h5->Tclose(a.type);
    if (a.id >= 0) h5->Aclose(a.id);
    if (object >= 0) h5->Oclose(object);
    return ok;
}
#endif
