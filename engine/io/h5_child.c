/* Reading an HDF5 file in a process of its own: whatever the library does to a hostile file, it does it
 * there. */
#ifdef CDL_HDF5
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include "io/h5_record.h"
#include "io/h5_source.h"

/* Attributes of groups that Keras's files have; the last two may be cut into name0, name1 ... */
static const char *const attributes[] = {"model_config", "training_config", "layer_names",
                                         "weight_names"};
enum { ATTRIBUTES = 4, WHOLE = 2, PIECES = 10000 };

static bool put(int to, const void *data, uint64_t bytes) {
    const char *at = data;
    while (bytes) {
        ssize_t count = write(to, at, bytes < 1 << 30 ? bytes : 1 << 30);
        if (count <= 0) return false;
        at += count, bytes -= (uint64_t)count;
    }
    return true;
}

static bool put_padded(int to, const void *data, uint64_t bytes) {
    static const char zeros[H5_RECORD_ALIGN];
    return put(to, data, bytes) && put(to, zeros, h5_record_padding(bytes));
}

static bool put_record(int to, H5Record record, const char *name, const void *data) {
    record.name_bytes = (uint32_t)strlen(name) + 1;
    return put_padded(to, &record, sizeof record) &&
           put_padded(to, name, record.name_bytes) &&
           (record.place || put_padded(to, data, record.bytes));
}

static bool put_texts(int to, const char *name, const H5Texts *texts) {
    H5Record head = {.kind = H5_TEXTS, .dim = {texts->count}};
    bool ok = put_record(to, head, name, NULL);
    for (int64_t k = 0; ok && k < texts->count; k++) {
        H5Record one = {.kind = H5_TEXT, .bytes = strlen(texts->text[k])};
        ok = put_record(to, one, "", texts->text[k]);
    }
    return ok;
}

/* Puts an attribute if there is one; *there tells. */
static bool put_attribute(int to, const H5Source *file, int64_t index, const char *name,
                          bool *there, Err *err) {
    H5Texts texts = {.count = -1};
    if (!h5_source_texts(file, index, name, &texts, err)) return false;
    *there = texts.count >= 0;
    bool ok = !*there || put_texts(to, name, &texts);
    h5_texts_free(&texts);
    return ok;
}

static bool put_group(int to, const H5Source *file, int64_t index, Err *err) {
    bool there, ok = put_record(to, (H5Record){.kind = H5_GROUP},
                                file->entries[index].path, NULL);
    for (int k = 0; ok && k < ATTRIBUTES; k++) {
        ok = put_attribute(to, file, index, attributes[k], &there, err);
        for (int piece = 0; ok && !there && k >= WHOLE && piece < PIECES; piece++) {
            char name[40];
            snprintf(name, sizeof name, "%s%d", attributes[k], piece);
            ok = put_attribute(to, file, index, name, &there, err);
            if (!there) break;
            there = false;
        }
    }
    return ok;
}

static bool put_array(int to, const H5Source *file, int64_t index, Err *err) {
    Tensor tensor;
    uint64_t place;
    if (!h5_source_read(file, index, &tensor, &place, err)) return false;
    H5Record record = {.kind = H5_ARRAY,
                       .dtype = tensor.dtype,
                       .ndim = (uint32_t)tensor.shape.ndim,
                       .bytes = tensor_bytes(&tensor),
                       .place = place};
    for (int k = 0; k < tensor.shape.ndim; k++) record.dim[k] = tensor.shape.dim[k];
    bool ok = put_record(to, record, file->entries[index].path, tensor.data);
    tensor_release(&tensor);
    return ok;
}

/* No traces of a crash, and no hanging. */
static void set_bounds(uint64_t size) {
    enum { SECONDS = 20, PER_SECOND = 20 << 20 };
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGFPE,
                                  SIGILL,  SIGALRM, SIGTERM, SIGHUP};
    for (size_t k = 0; k < sizeof signals / sizeof *signals; k++)
        signal(signals[k], SIG_DFL);
    signal(SIGINT, SIG_IGN);
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) dup2(nowhere, 2);
    alarm((unsigned)(SECONDS + size / PER_SECOND));
}

_Noreturn void h5_child(int to, const char *path, void *image, size_t size,
                        const char *name) {
    Err err = {0};
    H5Source file;
    set_bounds(size);
    bool ok = h5_source_open(path, image, size, name, &file, &err);
    for (int64_t k = 0; ok && k < file.count; k++)
        ok = file.entries[k].is_array ? put_array(to, &file, k, &err)
                                      : put_group(to, &file, k, &err);
    if (!ok && !err.set) err_set(&err, "%s: not enough memory to read it", name);
    H5Record last = {.kind = ok ? H5_END : H5_ERROR, .bytes = ok ? 0 : strlen(err.text)};
    ok = put_record(to, last, "", err.text);
    _exit(ok ? 0 : 1);
}
#endif
