#include "io/reader.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "base/mem.h"

/* One call to zlib takes an unsigned int. */
enum { PIECE = 1 << 30, INPUT_BUFFER = 256 * 1024 };

const char *text_printable(const char *from, size_t bytes, char *to, size_t size) {
    size_t length = bytes < size - 1 ? bytes : size - 1;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)from[i];
        to[i] = c < 0x20 || c == 0x7f ? '?' : from[i];
    }
    to[length] = '\0';
    return to;
}

static bool check_regular(const struct stat *info, const char *path, Err *err) {
    if (S_ISDIR(info->st_mode))
        return err_set(err, "%.600s: is a folder, not a file", path);
    if (!S_ISREG(info->st_mode))
        return err_set(err, "%.600s: is not a regular file", path);
    return true;
}

bool file_size(const char *path, uint64_t *bytes, Err *err) {
    struct stat info;
    if (stat(path, &info) != 0) return err_set(err, "%.600s: %s", path, strerror(errno));
    if (!check_regular(&info, path, err)) return false;
    *bytes = (uint64_t)info.st_size;
    return true;
}

static bool gzip_read(Reader *reader, void *to, size_t bytes, size_t *got, Err *err) {
    gzFile file = reader->handle;
    size_t done = 0;
    while (done < bytes) {
        size_t piece = bytes - done < PIECE ? bytes - done : PIECE;
        int count = gzread(file, (char *)to + done, (unsigned)piece);
        int code = Z_OK;
        const char *reason = gzerror(file, &code);
        if (code == Z_ERRNO) return err_set(err, "%s: %s", reader->name, strerror(errno));
        if (code == Z_BUF_ERROR)
            return err_set(err, "%s: the compressed data end too early", reader->name);
        if (count < 0)
            return err_set(err, "%s: the compressed data are damaged (%s)", reader->name,
                           reason);
        if (count == 0) break;
        done += (size_t)count;
    }
    *got = done;
    return true;
}

static void gzip_close(Reader *reader) { gzclose_r(reader->handle); }

static bool plain_read(Reader *reader, void *to, size_t bytes, size_t *got, Err *err) {
    int fd = (int)(intptr_t)reader->handle;
    size_t done = 0;
    while (done < bytes) {
        size_t piece = bytes - done < PIECE ? bytes - done : PIECE;
        ssize_t count = read(fd, (char *)to + done, piece);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return err_set(err, "%s: %s", reader->name, strerror(errno));
        if (count == 0) break;
        done += (size_t)count;
    }
    *got = done;
    return true;
}

static void plain_close(Reader *reader) { close((int)(intptr_t)reader->handle); }

bool reader_open_plain(Reader *out, const char *path, Err *err) {
    uint64_t size;
    if (!file_size(path, &size, err)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_set(err, "%.600s: %s", path, strerror(errno));
    Reader reader = {.most = size, .read = plain_read, .close = plain_close};
    reader.handle = (void *)(intptr_t)fd;
    text_printable(path, strlen(path), reader.name, sizeof reader.name);
    *out = reader;
    return true;
}

bool reader_open(Reader *out, const char *path, Err *err) {
    Reader reader;
    if (!reader_open_plain(&reader, path, err)) return false;
    gzFile file = gzdopen((int)(intptr_t)reader.handle, "rb");
    if (!file) {
        plain_close(&reader);
        return err_set(err, "%.600s: not enough memory to read it", path);
    }
    gzbuffer(file, INPUT_BUFFER);
    reader.handle = file, reader.read = gzip_read, reader.close = gzip_close;
    if (!gzdirect(file)) reader.most *= DEFLATE_RATIO;
    *out = reader;
    return true;
}

void reader_close(Reader *reader) {
    if (reader->close) reader->close(reader);
    reader->close = NULL;
}

bool reader_take(Reader *reader, void *to, size_t bytes, Err *err) {
    size_t got;
    if (!reader->read(reader, to, bytes, &got, err)) return false;
    reader->most -= got < reader->most ? got : reader->most;
    if (got == bytes) return true;
    return err_set(err, "%s: ends too early: %zu bytes wanted, %zu left", reader->name,
                   bytes, got);
}

bool reader_end(Reader *reader, Err *err) {
    char more;
    size_t got;
    if (!reader->read(reader, &more, 1, &got, err)) return false;
    return got == 0 || err_set(err, "%s: more data than its header says", reader->name);
}

bool reader_rest(Reader *reader, char **text, size_t *bytes, Err *err) {
    size_t room = 64 * 1024, size = 0, got;
    if (reader->most < SIZE_MAX / DEFLATE_RATIO && reader->most < 64u * 1024 * 1024)
        room = (size_t)reader->most + 1;
    char *block = mem_alloc(room + 1);
    while (block) {
        if (!reader->read(reader, block + size, room - size, &got, err)) {
            mem_free(block);
            return false;
        }
        size += got;
        if (size < room) {
            block[size] = '\0';
            *text = block, *bytes = size;
            return true;
        }
        char *larger = room > SIZE_MAX / 4 ? NULL : mem_grow(block, 2 * room + 1);
        if (!larger) mem_free(block);
        block = larger, room *= 2;
    }
    return err_set(err, "%s: not enough memory to read it", reader->name);
}
