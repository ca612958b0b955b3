#include "io/npz.h"
#include <zip.h>
#include "io/archive.h"
#include "io/scratch.h"
#include "test.h"

static const NamedTensor *find(const NamedTensors *npz, const char *name) {
    for (int64_t k = 0; k < npz->count; k++)
        if (strcmp(npz->list[k].name, name) == 0) return &npz->list[k];
    return NULL;
}

static void round_trip(bool compress) {
    Err err = {0};
    NamedTensors npz = {0};
    Tensor kernel = ramp(DTYPE_FLOAT32, shape_of(2, 300L, 40L), 0);
    Tensor step = ramp(DTYPE_INT64, shape_of(0), 7),
           none = ramp(DTYPE_UINT8, shape_of(1, 0L), 0);
    Tensor view = {0}, straight = {0};
    CHECK(tensor_permute(&kernel, (int[]){1, 0}, &view, &err));
    CHECK(tensor_contiguous(&view, &straight, &err));
    NamedTensor entries[] = {
        {"dense/kernel", kernel}, {"step", step}, {"none", none}, {"view", view}};
    CHECK(npz_save(scratch("w.npz"), entries, 4, compress, &err));
    CHECK(npz_load(scratch("w.npz"), &npz, &err));
    CHECK(npz.count == 4 && scratch_count() == 1);
    CHECK(find(&npz, "dense/kernel") &&
          same(&find(&npz, "dense/kernel")->tensor, &kernel));
    CHECK(find(&npz, "step") && same(&find(&npz, "step")->tensor, &step));
    CHECK(find(&npz, "none") && same(&find(&npz, "none")->tensor, &none));
    CHECK(find(&npz, "view") && same(&find(&npz, "view")->tensor, &straight));
    named_free(&npz);
    tensor_release(&kernel);
    tensor_release(&step);
    tensor_release(&none);
    tensor_release(&view);
    tensor_release(&straight);
    CHECK(tensor_alive() == 0);
}

static void stored(void) { round_trip(false); }
static void deflated(void) { round_trip(true); }

static void compression_and_bytes_repeat(void) {
    Err err = {0};
    size_t first_bytes, second_bytes, plain_bytes;
    Tensor x = {0};
    CHECK(tensor_zero(&x, DTYPE_FLOAT64, shape_of(1, 10000L), &err));
    NamedTensor entry = {"x", x};
    CHECK(npz_save(scratch("a.npz"), &entry, 1, true, &err));
    CHECK(npz_save(scratch("b.npz"), &entry, 1, true, &err));
    CHECK(npz_save(scratch("c.npz"), &entry, 1, false, &err));
    unsigned char *first = scratch_read(scratch("a.npz"), &first_bytes);
    unsigned char *second = scratch_read(scratch("b.npz"), &second_bytes);
    mem_free(scratch_read(scratch("c.npz"), &plain_bytes));
    CHECK(first_bytes == second_bytes && memcmp(first, second, first_bytes) == 0);
    CHECK(first_bytes < 1000 && plain_bytes > 80000);
    mem_free(first);
    mem_free(second);
    tensor_release(&x);
}

static void empty_archive(void) {
    Err err = {0};
    NamedTensors npz = {0};
    size_t bytes;
    CHECK(npz_save(scratch("none.npz"), NULL, 0, false, &err));
    CHECK(npz_load(scratch("none.npz"), &npz, &err) && npz.count == 0);
    named_free(&npz);
    mem_free(scratch_read(scratch("none.npz"), &bytes));
    CHECK(bytes == 22);
}

/* An archive with one entry of these bytes, made by libzip alone. */
static const char *archive_of(const char *entry, const void *data, size_t bytes,
                              int method) {
    const char *path = scratch("made.npz");
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    zip_source_t *source = zip_source_buffer(zip, data, bytes, 0);
    zip_int64_t index = zip_file_add(zip, entry, source, 0);
    if (zip_set_file_compression(zip, (zip_uint64_t)index, method, 0) || zip_close(zip))
        exit(2);
    return path;
}

static void check_refused(const char *path, const char *text) {
    Err err = {0};
    NamedTensors npz = {0};
    CHECK(!npz_load(path, &npz, &err));
    CHECK(!npz.list && npz.count == 0);
    CHECK_TEXT(err.text, text);
}

static void refuses_foreign_entries(void) {
    check_refused(
        archive_of("config.json", "{}", 2, ZIP_CM_STORE),
        "made.npz: entry 'config.json': is not an array (its name does not end in .npy)");
    check_refused(archive_of("x.npy", "not an array", 12, ZIP_CM_DEFLATE),
                  "made.npz: entry 'x.npy': not a .npy file");
    check_refused(archive_of("x.npy", "short", 5, ZIP_CM_STORE),
                  "entry 'x.npy': not a .npy file (it is shorter than a header)");
    check_refused(archive_of("a\x1b[31m.npy", "short", 5, ZIP_CM_STORE),
                  "entry 'a?[31m.npy'");
    check_refused(archive_of("x.npy", "some text some text some text", 29, ZIP_CM_BZIP2),
                  "compression method 12; only stored (0) and deflated (8) can be read");
}

static void refuses_other_files(void) {
    check_refused(scratch_text("x.npz", "no archive at all, only some text"),
                  "not a zip archive");
    check_refused(scratch_write("y.npz", "\x93NUMPY\1\0", 8),
                  "a .npy file, not a zip archive; "
                  "read it with load");
    check_refused(scratch("missing.npz"), "missing.npz: No such file or directory");
    check_refused(scratch("."), "is a folder");
}

static void refuses_twice_the_same_name(void) {
    Err err = {0};
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(1, 2L), 0);
    NamedTensor entries[] = {{"a", x}, {"b", x}, {"a", x}};
    scratch_text("twice.npz", "old");
    CHECK(!npz_save(scratch("twice.npz"), entries, 3, false, &err));
    CHECK_TEXT(err.text, "twice.npz: the name 'a' stands there twice");
    size_t bytes;
    mem_free(scratch_read(scratch("twice.npz"), &bytes));
    CHECK(bytes == 3);
    tensor_release(&x);
}

/* A wrong checksum, a lie about sizes: each is found, with the entry's name. */
static void finds_damage(void) {
    Err err = {0};
    size_t bytes;
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(1, 64L), 0);
    NamedTensor entry = {"x", x};
    CHECK(npz_save(scratch("d.npz"), &entry, 1, false, &err));
    unsigned char *file = scratch_read(scratch("d.npz"), &bytes);
    file[200] ^= 1;
    check_refused(scratch_write("crc.npz", file, bytes),
                  "entry 'x.npy': damaged: CRC error");
    file[200] ^= 1;
    unsigned char *directory = file;
    while (memcmp(directory, "PK\1\2", 4) != 0) directory++;
    directory[27] = 0x40; /* uncompressed size: 1 GB more than there is */
    check_refused(scratch_write("size.npz", file, bytes), "entry 'x.npy': damaged: ");
    directory[23] = 0x40; /* and the compressed size too */
    check_refused(scratch_write("both.npz", file, bytes), "cannot be packed into");
    mem_free(file);
    tensor_release(&x);
}

static void memory_failures_leave_nothing(void) {
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(2, 30L, 4L), 0), view = {0};
    Err first = {0};
    CHECK(tensor_permute(&x, (int[]){1, 0}, &view, &first));
    NamedTensor entries[] = {{"a", x}, {"b", view}};
    tensor_trim();
    int64_t alive = tensor_alive();
    int failed = 0, files = scratch_count();
    for (int n = 1; n < 60; n++) {
        Err err = {0};
        NamedTensors npz = {0};
        size_t bytes = mem_bytes();
        mem_fail_at(n);
        bool ok = npz_save(scratch("m.npz"), entries, 2, true, &err) &&
                  npz_load(scratch("m.npz"), &npz, &err);
        mem_fail_at(0);
        CHECK(ok != err.set && ok == (npz.count == 2));
        named_free(&npz);
        tensor_trim();
        CHECK(tensor_alive() == alive && mem_bytes() == bytes);
        if (ok) break;
        failed++;
    }
    CHECK(failed >= 8 && scratch_count() <= files + 1);
    tensor_release(&x);
    tensor_release(&view);
}

TEST_MAIN(stored, deflated, compression_and_bytes_repeat, empty_archive,
          refuses_foreign_entries, refuses_other_files, refuses_twice_the_same_name,
          finds_damage, memory_failures_leave_nothing)
