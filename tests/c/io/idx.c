#include "io/idx.h"
#include <zlib.h>
#include "io/scratch.h"
#include "test.h"

static const char *gzip_of(const char *name, const void *data, size_t bytes) {
    const char *path = scratch(name);
    gzFile file = gzopen(path, "wb");
    if (!file || gzwrite(file, data, (unsigned)bytes) != (int)bytes || gzclose(file))
        exit(2);
    return path;
}

static void check_type(const char *file, size_t bytes, DType dtype, double first,
                       double last) {
    Err err = {0};
    Tensor x = {0};
    CHECK(idx_load(scratch_write("x.idx", file, bytes), &x, &err));
    if (!x.buffer) return;
    CHECK(x.dtype == dtype && x.shape.ndim == 1 && x.shape.dim[0] == 2);
    CHECK(at(&x, 0) == first && at(&x, 1) == last);
    tensor_release(&x);
}

static void reads_every_type(void) {
    check_type("\0\0\x08\1\0\0\0\2\x07\xff", 10, DTYPE_UINT8, 7, 255);
    check_type("\0\0\x09\1\0\0\0\2\x07\xff", 10, DTYPE_INT32, 7, -1);
    check_type("\0\0\x0b\1\0\0\0\2\1\1\xff\xfe", 12, DTYPE_INT32, 257, -2);
    check_type("\0\0\x0c\1\0\0\0\2\0\1\0\0\xff\xff\xff\xfe", 16, DTYPE_INT32, 65536, -2);
    check_type("\0\0\x0d\1\0\0\0\2\x3f\xc0\0\0\xbf\x80\0\0", 16, DTYPE_FLOAT32, 1.5, -1);
    check_type("\0\0\x0e\1\0\0\0\2\x3f\xf8\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0", 24,
               DTYPE_FLOAT64, 1.5, -2);
}

static void reads_images_from_gzip(void) {
    char file[16 + 2 * 3 * 4] = "\0\0\x08\3\0\0\0\2\0\0\0\3\0\0\0\4";
    Err err = {0};
    Tensor x = {0};
    for (int i = 0; i < 24; i++) file[16 + i] = (char)i;
    CHECK(idx_load(gzip_of("images.gz", file, sizeof file), &x, &err));
    CHECK(x.shape.ndim == 3 && x.shape.dim[0] == 2 && x.shape.dim[1] == 3 &&
          x.shape.dim[2] == 4);
    CHECK(x.dtype == DTYPE_UINT8 && at(&x, 0) == 0 && at(&x, 23) == 23);
    tensor_release(&x);
}

static void check_refused(const char *path, const char *text) {
    Err err = {0};
    Tensor x = {0};
    CHECK(!idx_load(path, &x, &err));
    CHECK(!x.buffer);
    CHECK_TEXT(err.text, text);
}

static void refuses(void) {
    check_refused(scratch_write("a", "\0\0", 2), "/a: not an idx file (it is shorter");
    check_refused(scratch_text("b", "hello"),
                  "not an idx file (it begins with 68 65 6c 6c)");
    check_refused(scratch_write("c", "\0\0\x0a\1\0\0\0\1.", 9),
                  "begins with 00 00 0a 01");
    check_refused(scratch_write("d", "\0\0\x08\x09", 4),
                  "has 9 axes; at most 8 can be read");
    check_refused(scratch_write("e", "\0\0\x08\2\0\0\0\1", 8),
                  "ends too early: 4 bytes wanted");
    check_refused(scratch_write("f", "\0\0\x08\1\0\0\0\3..", 10),
                  "{3}, but at most 2 bytes follow");
    check_refused(scratch_write("g", "\0\0\x08\1\0\0\0\1..", 10),
                  "more data than its header says");
    check_refused(
        scratch_write("h", "\0\0\x0e\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                      16),
        "{4294967295, 4294967295, 4294967295}, but at most 0 bytes follow");
    check_refused(gzip_of("i.gz", "\0\0\x08\1\x7f\xff\xff\xff....", 12),
                  "ends too early");
    check_refused(gzip_of("j.gz", "\0\0\x08\1\0\0\0\x20....", 12),
                  "ends too early: 32 bytes wanted, 4 left");
}

static void finds_damage_in_gzip(void) {
    char data[1000] = "\0\0\x08\1\0\0\3\xe0";
    size_t bytes;
    for (int i = 8; i < 1000; i++) data[i] = (char)(i * i % 251);
    unsigned char *file = scratch_read(gzip_of("whole.gz", data, sizeof data), &bytes);
    check_refused(scratch_write("cut.gz", file, bytes - 12),
                  "the compressed data end too early");
    file[bytes - 6] ^= 1; /* the checksum */
    check_refused(scratch_write("sum.gz", file, bytes),
                  "the compressed data are damaged");
    mem_free(file);
}

TEST_MAIN(reads_every_type, reads_images_from_gzip, refuses, finds_damage_in_gzip)
