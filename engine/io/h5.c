#define _GNU_SOURCE /* memfd_create */
#include "io/h5.h"
#ifdef CDL_HDF5

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/h5_record.h"
#include "io/h5_source.h"

void h5_texts_free(H5Texts *texts) {
    for (int64_t k = 0; k < texts->count; k++) mem_free(texts->text[k]);
    mem_free(texts->text);
    *texts = (H5Texts){.count = -1};
}

/* What the child has found: a record, its name (a text of its own) and its bytes. */
typedef struct Found {
    const H5Record *record;
    const char *name, *bytes;
    Tensor tensor; /* of an array that the file itself holds, once it is read */
} Found;

struct H5File {
    char name[READER_NAME];
    char *map;          /* the child's records */
    size_t size, bytes; /* of the records; and of the arrays beside them */
    Found *found;
    int64_t count, room;
    int64_t *place, places; /* of groups and arrays among them */
};

int64_t h5_count(const H5File *file) { return file->places; }
size_t h5_bytes(const H5File *file) { return file->size + file->bytes; }

const char *h5_path(const H5File *file, int64_t index) {
    return file->found[file->place[index]].name;
}

bool h5_is_array(const H5File *file, int64_t index) {
    return file->found[file->place[index]].record->kind == H5_ARRAY;
}

void h5_close(H5File *file) {
    if (!file) return;
    if (file->map) munmap(file->map, file->size);
    for (int64_t k = 0; k < file->count; k++) tensor_release(&file->found[k].tensor);
    mem_free(file->found);
    mem_free(file->place);
    mem_free(file);
}

static bool damaged(const H5File *file, Err *err) {
    return err_set(err, "%s: damaged: the HDF5 library cannot read it", file->name);
}

/* ---- the child's records ---- */

/* The next part of the map with its padding; NULL: it does not reach so far. */
static const char *take(const H5File *file, size_t *at, uint64_t bytes) {
    uint64_t left = file->size - *at, padding = h5_record_padding(bytes);
    if (bytes > left || padding > left - bytes) return NULL;
    const char *part = file->map + *at;
    *at += bytes + padding;
    return part;
}

static bool is_sound(const H5Record *record) {
    if (record->place && record->kind != H5_ARRAY) return false;
    if (record->kind == H5_TEXTS) return record->dim[0] >= 0;
    if (record->kind != H5_ARRAY)
        return record->kind >= H5_GROUP && record->kind <= H5_END;
    Shape shape = {.ndim = (int)record->ndim};
    if (record->ndim > SHAPE_MAX || record->dtype >= DTYPE_COUNT) return false;
    memcpy(shape.dim, record->dim, sizeof shape.dim);
    size_t element = dtype_size(record->dtype);
    return shape_check(&shape, element, NULL) &&
           (uint64_t)shape_size(&shape) * element == record->bytes;
}

static bool add_found(H5File *file, size_t *at, Found *found) {
    found->record = (const H5Record *)take(file, at, sizeof(H5Record));
    if (!found->record || !is_sound(found->record)) return false;
    uint32_t length = found->record->name_bytes; /* with the '\0' */
    found->name = take(file, at, length);
    found->bytes = take(file, at, found->record->place ? 0 : found->record->bytes);
    if (!found->name || !found->bytes || length == 0 || found->name[length - 1] != '\0')
        return false;
    if (file->count == file->room) {
        int64_t room = file->room ? 2 * file->room : 64;
        Found *grown = mem_grow(file->found, (size_t)room * sizeof *grown);
        if (!grown) return false;
        file->found = grown, file->room = room;
    }
    file->found[file->count++] = *found;
    return true;
}

static bool parse(H5File *file, Err *err) {
    size_t at = 0;
    Found found = {0};
    do {
        if (!add_found(file, &at, &found)) return damaged(file, err);
        if (found.record->kind == H5_ERROR)
            return err_set(err, "%.*s", (int)(found.record->bytes % ERR_TEXT),
                           found.bytes);
    } while (found.record->kind != H5_END);
    file->place = mem_alloc((size_t)file->count * sizeof *file->place);
    if (!file->place) return damaged(file, err);
    for (int64_t k = 0; k < file->count; k++)
        if (file->found[k].record->kind <= H5_ARRAY) file->place[file->places++] = k;
    return true;
}

/* ---- arrays in the file itself ---- */

static int compare_places(const void *a, const void *b) {
    uint64_t x = (*(Found *const *)a)->record->place,
             y = (*(Found *const *)b)->record->place;
    return (x > y) - (x < y);
}

/* One array under two names. */
static bool is_same(const Found *a, const Found *b) {
    H5Record x = *a->record, y = *b->record;
    x.name_bytes = y.name_bytes = 0;
    return memcmp(&x, &y, sizeof x) == 0;
}

/* Passes over so many bytes, or what there is of them. */
static bool pass(Reader *reader, uint64_t bytes, Err *err) {
    char block[1 << 14];
    size_t got = 1;
    while (bytes && got) {
        size_t most = bytes < sizeof block ? bytes : sizeof block;
        if (!reader->read(reader, block, most, &got, err)) return false;
        bytes -= got;
    }
    return true;
}

static bool read_array(H5File *file, Found *found, Reader *reader, Err *err) {
    Shape shape = {.ndim = (int)found->record->ndim};
    memcpy(shape.dim, found->record->dim, sizeof shape.dim);
    file->bytes += found->record->bytes;
    return tensor_new(&found->tensor, found->record->dtype, shape, err) &&
           reader_take(reader, found->tensor.data, found->record->bytes, err);
}

/* Reads the listed arrays on one way through the file, to its end: the sum of an archive's entry
 * is compared there. */
static bool read_listed(H5File *file, Found **list, int64_t count, Reader *reader,
                        uint64_t size, Err *err) {
    uint64_t at = 0;
    for (int64_t k = 0; k < count; k++) {
        const H5Record *record = list[k]->record;
        if (k > 0 && is_same(list[k], list[k - 1])) {
            list[k]->tensor = tensor_retain(&list[k - 1]->tensor);
            continue;
        }
        if (record->place < at || record->place > size ||
            record->bytes > size - record->place)
            return damaged(file, err);
        if (!pass(reader, record->place - at, err) ||
            !read_array(file, list[k], reader, err))
            return false;
        at = record->place + record->bytes;
    }
    return pass(reader, UINT64_MAX, err);
}

static bool read_arrays(H5File *file, Reader *reader, uint64_t size, Err *err) {
    Found **list = mem_alloc((size_t)file->count * sizeof(Found *));
    int64_t count = 0;
    if (!list) return err_set(err, "%s: not enough memory to read it", file->name);
    for (int64_t k = 0; k < file->count; k++)
        if (file->found[k].record->place) list[count++] = &file->found[k];
    qsort(list, (size_t)count, sizeof *list, compare_places);
    bool ok = read_listed(file, list, count, reader, size, err);
    mem_free(list);
    return ok;
}

/* ---- the child ---- */

static bool run_child(const H5File *file, int to, const char *path, void *image,
                      size_t size, Err *err) {
    pid_t child = fork();
    if (child < 0)
        return err_set(err, "%s: no process to read it: %s", file->name, strerror(errno));
    if (child == 0) h5_child(to, path, image, size, file->name);
    int status;
    pid_t got;
    do got = waitpid(child, &status, 0);
    while (got < 0 && errno == EINTR);
    return (got == child && WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           damaged(file, err);
}

static bool map_records(H5File *file, int from, Err *err) {
    off_t size = lseek(from, 0, SEEK_END);
    if (size <= 0) return damaged(file, err);
    void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, from, 0);
    if (map == MAP_FAILED)
        return err_set(err, "%s: not enough memory to read it", file->name);
    file->map = map, file->size = (size_t)size;
    return true;
}

/* A file at a path, or in memory (then path is NULL). The reader, which is closed in any case, gives
 * its bytes once more. */
static H5File *open_file(const char *path, void *image, size_t size, Reader *reader,
                         Err *err) {
    H5File *file = h5_library(0, err) ? mem_zalloc(sizeof *file) : NULL;
    if (!file) {
        err_set(err, "%s: not enough memory to read it", reader->name);
        reader_close(reader);
        return NULL;
    }
    memcpy(file->name, reader->name, sizeof file->name);
    int records = memfd_create("cdl-h5", MFD_CLOEXEC);
    bool ok = records >= 0 ||
              err_set(err, "%s: no room to read it: %s", file->name, strerror(errno));
    ok = ok && run_child(file, records, path, image, size, err) &&
         map_records(file, records, err) && parse(file, err) &&
         read_arrays(file, reader, size, err);
    reader_close(reader);
    if (records >= 0) close(records);
    if (ok) return file;
    h5_close(file);
    return NULL;
}

H5File *h5_open(const char *path, Err *err) {
    Reader reader;
    if (!reader_open_plain(&reader, path, err)) return NULL;
    return open_file(path, NULL, reader.most, &reader, err);
}

/* A reader of a block in memory. */
typedef struct Block {
    const char *at;
    size_t left;
} Block;

static bool block_read(Reader *reader, void *to, size_t bytes, size_t *got, Err *err) {
    Block *block = reader->handle;
    *got = bytes < block->left ? bytes : block->left;
    memcpy(to, block->at, *got);
    block->at += *got, block->left -= *got;
    return true;
}

static void block_close(Reader *reader) {}

H5File *h5_open_image(void *bytes, size_t size, const char *name, Err *err) {
    Block block = {bytes, size};
    Reader reader = {.most = size, .handle = &block};
    reader.read = block_read, reader.close = block_close;
    text_printable(name, strlen(name), reader.name, sizeof reader.name);
    H5File *file = open_file(NULL, bytes, size, &reader, err);
    mem_free(bytes);
    return file;
}

H5File *h5_open_entry(const Archive *archive, int64_t index, Err *err) {
    Reader reader;
    int from;
    uint64_t place;
    char *bytes;
    size_t size;
    void *map = MAP_FAILED;
    bool stored = archive_place(archive, index, &from, &place);
    if (!archive_reader(archive, index, &reader, err)) return NULL;
    if (stored) map = mmap(NULL, place + reader.most, PROT_READ, MAP_PRIVATE, from, 0);
    if (map != MAP_FAILED) {
        size = reader.most;
        H5File *file = open_file(NULL, (char *)map + place, size, &reader, err);
        munmap(map, place + size);
        return file;
    }
    bool ok = reader_rest(&reader, &bytes, &size, err);
    reader_close(&reader);
    return ok ? h5_open_image(bytes, size, reader.name, err) : NULL;
}

/* ---- what is in it ---- */

bool h5_read(const H5File *file, int64_t index, Tensor *out, Err *err) {
    const Found *found = &file->found[file->place[index]];
    if (found->tensor.buffer) {
        *out = tensor_retain(&found->tensor);
        return true;
    }
    Shape shape = {.ndim = (int)found->record->ndim};
    memcpy(shape.dim, found->record->dim, sizeof shape.dim);
    Tensor tensor;
    if (!tensor_new(&tensor, found->record->dtype, shape, err)) return false;
    memcpy(tensor.data, found->bytes, found->record->bytes);
    *out = tensor;
    return true;
}

static bool copy_texts(const H5File *file, int64_t at, H5Texts *texts) {
    for (; texts->count < file->found[at].record->dim[0]; texts->count++) {
        const Found *found = &file->found[at + 1 + texts->count];
        char *copy = mem_alloc(found->record->bytes + 1);
        if (!copy) return false;
        memcpy(copy, found->bytes, found->record->bytes);
        copy[found->record->bytes] = '\0';
        texts->text[texts->count] = copy;
    }
    return true;
}

bool h5_texts(const H5File *file, int64_t index, const char *name, H5Texts *out,
              Err *err) {
    int64_t at = file->place[index] + 1;
    while (file->found[at].record->kind == H5_TEXT ||
           (file->found[at].record->kind == H5_TEXTS &&
            strcmp(file->found[at].name, name) != 0))
        at++;
    *out = (H5Texts){.count = -1};
    if (file->found[at].record->kind != H5_TEXTS) return true;
    int64_t count = file->found[at].record->dim[0];
    for (int64_t k = 1; k <= count; k++)
        if (at + k >= file->count || file->found[at + k].record->kind != H5_TEXT)
            return damaged(file, err);
    H5Texts texts = {mem_zalloc((size_t)count * sizeof *texts.text + 1), 0};
    if (texts.text && copy_texts(file, at, &texts)) {
        *out = texts;
        return true;
    }
    h5_texts_free(&texts);
    return err_set(err, "%s: not enough memory to read it", file->name);
}
#endif
