#define _GNU_SOURCE
#include "io/archive.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>
#include "base/mem.h"

struct Archive {
    zip_t *zip;
    FILE *file;     /* the zip's own */
    uint64_t bytes; /* of the whole file */
    char name[READER_NAME];
};

/* Says what kind of file was given instead of an archive, where the first bytes tell. */
static bool fail_open(const char *path, int code, Err *err) {
    if (code == ZIP_ER_NOZIP) {
        char start[6] = "";
        FILE *file = fopen(path, "rb");
        size_t got = file ? fread(start, 1, sizeof start, file) : 0;
        if (file) fclose(file);
        if (got == 6 && memcmp(start, "\x93NUMPY", 6) == 0)
            return err_set(
                err, "%.600s: a .npy file, not a zip archive; read it with load", path);
        return err_set(err, "%.600s: not a zip archive, or one that is cut off", path);
    }
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    err_set(err, "%.600s: %s", path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return false;
}

/* The zip takes the file over, and closes it also when it is none. */
static zip_t *open_zip(FILE *file, int *code) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_filep_create(file, 0, -1, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (!source)
        fclose(file);
    else if (!zip)
        zip_source_free(source);
    *code = zip_error_code_zip(&error);
    zip_error_fini(&error);
    return zip;
}

Archive *archive_open(const char *path, Err *err) {
    uint64_t bytes;
    int code = ZIP_ER_OPEN;
    if (!file_size(path, &bytes, err)) return NULL;
    FILE *file = fopen(path, "rbe");
    zip_t *zip = file ? open_zip(file, &code) : NULL;
    if (!zip) return fail_open(path, code, err), NULL;
    Archive *archive = mem_zalloc(sizeof *archive);
    if (!archive) {
        zip_discard(zip);
        err_set(err, "%.600s: not enough memory to read it", path);
        return NULL;
    }
    archive->zip = zip, archive->file = file, archive->bytes = bytes;
    text_printable(path, strlen(path), archive->name, sizeof archive->name);
    return archive;
}

void archive_close(Archive *archive) {
    if (!archive) return;
    zip_discard(archive->zip);
    mem_free(archive);
}

int64_t archive_count(const Archive *archive) {
    return zip_get_num_entries(archive->zip, 0);
}

const char *archive_name(const Archive *archive, int64_t index) {
    return zip_get_name(archive->zip, (zip_uint64_t)index, ZIP_FL_ENC_RAW);
}

static bool entry_read(Reader *reader, void *to, size_t bytes, size_t *got, Err *err) {
    size_t done = 0;
    while (done < bytes) {
        zip_int64_t count = zip_fread(reader->handle, (char *)to + done, bytes - done);
        if (count < 0)
            return err_set(err, "%s: damaged: %s", reader->name,
                           zip_error_strerror(zip_file_get_error(reader->handle)));
        if (count == 0) break;
        done += (size_t)count;
    }
    *got = done;
    return true;
}

static void entry_close(Reader *reader) { zip_fclose(reader->handle); }

/* What the directory says of an entry must be possible for the file that it is in. */
static bool check_entry(const Archive *archive, const zip_stat_t *info, const char *name,
                        Err *err) {
    zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if ((info->valid & need) != need)
        return err_set(err, "%s: damaged: its size is not known", name);
    if (info->valid & ZIP_STAT_ENCRYPTION_METHOD &&
        info->encryption_method != ZIP_EM_NONE)
        return err_set(err, "%s: is encrypted", name);
    if (info->comp_method != ZIP_CM_STORE && info->comp_method != ZIP_CM_DEFLATE)
        return err_set(err,
                       "%s: compression method %d; only stored (0) and deflated (8) can "
                       "be read",
                       name, info->comp_method);
    bool stored = info->comp_method == ZIP_CM_STORE;
    if (info->comp_size > archive->bytes ||
        (stored ? info->size != info->comp_size
                : info->size / DEFLATE_RATIO > info->comp_size + 1))
        return err_set(err,
                       "%s: damaged: %" PRIu64 " bytes cannot be packed into %" PRIu64
                       " in a file of %" PRIu64,
                       name, info->size, info->comp_size, archive->bytes);
    return true;
}

bool archive_reader(const Archive *archive, int64_t index, Reader *out, Err *err) {
    zip_stat_t info;
    char printable[160];
    Reader reader = {.read = entry_read, .close = entry_close};
    const char *name = archive_name(archive, index);
    if (!name || zip_stat_index(archive->zip, (zip_uint64_t)index, 0, &info) != 0)
        return err_set(err, "%s: entry %" PRId64 " is damaged", archive->name, index + 1);
    text_printable(name, strlen(name), printable, sizeof printable);
    snprintf(reader.name, sizeof reader.name, "%.320s: entry '%s'", archive->name,
             printable);
    if (!check_entry(archive, &info, reader.name, err)) return false;
    reader.handle = zip_fopen_index(archive->zip, (zip_uint64_t)index, 0);
    if (!reader.handle)
        return err_set(err, "%s: damaged: %s", reader.name,
                       zip_error_strerror(zip_get_error(archive->zip)));
    reader.most = info.size;
    *out = reader;
    return true;
}

/* libzip does not say where an entry begins, but it leaves the file behind what it has read. Whether
 * these bytes are really there is looked up. */
bool archive_place(const Archive *archive, int64_t index, int *file, uint64_t *place) {
    zip_stat_t info;
    Reader reader;
    char start[64], same[64];
    size_t got = 0;
    if (zip_stat_index(archive->zip, (zip_uint64_t)index, 0, &info) != 0 ||
        info.comp_method != ZIP_CM_STORE ||
        !archive_reader(archive, index, &reader, NULL))
        return false;
    bool ok = reader.read(&reader, start, sizeof start, &got, NULL) && got > 0;
    off_t at = ftello(archive->file) - (off_t)got;
    reader_close(&reader);
    *file = fileno(archive->file), *place = (uint64_t)at;
    return ok && at > 0 && reader.most <= archive->bytes - (uint64_t)at &&
           pread(*file, same, got, at) == (ssize_t)got && memcmp(start, same, got) == 0;
}
