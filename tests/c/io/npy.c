#include "io/npy.h"
#include "io/scratch.h"
#include "test.h"

/* A .npy file of version 1 with this dictionary and these data. */
static const char *npy_file(const char *dict, const void *data, size_t bytes) {
    char file[2048] = "\x93NUMPY\1\0";
    size_t length = strlen(dict);
    file[8] = (char)(length & 255), file[9] = (char)(length >> 8);
    memcpy(file + 10, dict, length);
    memcpy(file + 10 + length, data, bytes);
    return scratch_write("made.npy", file, 10 + length + bytes);
}

static void round_trips(void) {
    const Shape shapes[] = {shape_of(0), shape_of(1, 5L), shape_of(2, 3L, 4L),
                            shape_of(2, 0L, 7L),
                            shape_of(8, 1L, 2L, 1L, 2L, 1L, 1L, 3L, 1L)};
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        for (int k = 0; k < 5; k++) {
            Err err = {0};
            Tensor x = ramp((DType)dtype, shapes[k], 0), y = {0};
            if (dtype == DTYPE_BOOL)
                for (int64_t i = 0; i < tensor_size(&x); i++) x.data[i] &= 1;
            CHECK(npy_save(scratch("x.npy"), &x, &err));
            CHECK(npy_load(scratch("x.npy"), &y, &err));
            CHECK(same(&x, &y));
            tensor_release(&x);
            tensor_release(&y);
        }
    CHECK(scratch_count() == 1);
}

static void writes_as_numpy_does(void) {
    Err err = {0};
    size_t bytes;
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(2, 2L, 3L), 1);
    CHECK(npy_save(scratch("x.npy"), &x, &err));
    unsigned char *file = scratch_read(scratch("x.npy"), &bytes);
    const char *dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    CHECK(bytes == 128 + 24);
    CHECK(memcmp(file, "\x93NUMPY\1\0\x76\0", 10) == 0);
    CHECK(memcmp(file + 10, dict, strlen(dict)) == 0);
    CHECK(file[10 + strlen(dict)] == ' ' && file[127] == '\n');
    CHECK(memcmp(file + 128, "\0\0\x80\x3f", 4) == 0);
    mem_free(file);
    tensor_release(&x);
}

static void writes_views(void) {
    Err err = {0};
    Tensor x = ramp(DTYPE_INT32, shape_of(2, 2L, 3L), 0), view = {0}, y = {0};
    CHECK(tensor_permute(&x, (int[]){1, 0}, &view, &err));
    CHECK(npy_save(scratch("view.npy"), &view, &err) &&
          npy_load(scratch("view.npy"), &y, &err));
    CHECK(y.shape.dim[0] == 3 && y.shape.dim[1] == 2);
    CHECK(at(&y, 0) == 0 && at(&y, 1) == 3 && at(&y, 2) == 1 && at(&y, 5) == 5);
    tensor_release(&x);
    tensor_release(&view);
    tensor_release(&y);
}

/* Loads one element and compares; the dtype is what cdl makes of it. */
static void check_element(const char *descr, const void *data, size_t bytes, DType dtype,
                          double value) {
    char dict[128];
    Err err = {0};
    Tensor x = {0};
    snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (1,)}",
             descr);
    CHECK(npy_load(npy_file(dict, data, bytes), &x, &err));
    if (err.set) fprintf(stderr, "%s: %s\n", descr, err.text);
    if (!x.buffer) return;
    CHECK(x.dtype == dtype && x.shape.ndim == 1 && x.shape.dim[0] == 1);
    CHECK(at(&x, 0) == value || (isnan(value) && isnan(at(&x, 0))));
    tensor_release(&x);
}

static void reads_other_types(void) {
    check_element("|b1", "\2", 1, DTYPE_BOOL, 1);
    check_element("|u1", "\xff", 1, DTYPE_UINT8, 255);
    check_element("|i1", "\xff", 1, DTYPE_INT32, -1);
    check_element("<i2", "\xfe\xff", 2, DTYPE_INT32, -2);
    check_element(">i2", "\xff\xfe", 2, DTYPE_INT32, -2);
    check_element("<u2", "\xfe\xff", 2, DTYPE_INT32, 65534);
    check_element("<u4", "\xff\xff\xff\xff", 4, DTYPE_INT64, 4294967295.0);
    check_element("<u8", "\1\0\0\0\1\0\0\0", 8, DTYPE_INT64, 4294967297.0);
    check_element(">i4", "\0\0\1\2", 4, DTYPE_INT32, 258);
    check_element(">i8", "\xff\xff\xff\xff\xff\xff\xff\xfd", 8, DTYPE_INT64, -3);
    check_element(">f4", "\x3f\xc0\0\0", 4, DTYPE_FLOAT32, 1.5);
    check_element(">f8", "\xbf\xf8\0\0\0\0\0\0", 8, DTYPE_FLOAT64, -1.5);
    check_element("<f2", "\0\x3e", 2, DTYPE_FLOAT32, 1.5);
    check_element("<f2", "\1\x80", 2, DTYPE_FLOAT32, -0x1p-24);
    check_element("<f2", "\xff\x7b", 2, DTYPE_FLOAT32, 65504);
    check_element("<f2", "\0\xfc", 2, DTYPE_FLOAT32, -INFINITY);
    check_element(">f2", "\x7e\0", 2, DTYPE_FLOAT32, NAN);
    check_element("f4", "\0\0\xc0\x3f", 4, DTYPE_FLOAT32, 1.5);
}

static void reads_fortran_order(void) {
    Err err = {0};
    Tensor x = {0};
    const char *dict = "{'shape': (2, 3), 'fortran_order': True, 'descr': '|u1'}   \n";
    CHECK(npy_load(npy_file(dict, "\0\3\1\4\2\5", 6), &x, &err));
    CHECK(x.shape.dim[0] == 2 && x.shape.dim[1] == 3 && tensor_is_contiguous(&x));
    for (int i = 0; i < 6; i++) CHECK(at(&x, i) == i);
    tensor_release(&x);
}

static void reads_versions(void) {
    char file[256] = "\x93NUMPY\2\0";
    const char *dict =
        "{\"descr\": \"|u1\", \"fortran_order\": False, \"shape\": (2L,), }";
    size_t length = strlen(dict);
    file[8] = (char)length;
    memcpy(file + 12, dict, length);
    file[12 + length] = 7, file[13 + length] = 9;
    for (char version = 2; version <= 3; version++) {
        Err err = {0};
        Tensor x = {0};
        file[6] = version;
        CHECK(npy_load(scratch_write("v.npy", file, 14 + length), &x, &err));
        CHECK(x.buffer && at(&x, 0) == 7 && at(&x, 1) == 9);
        tensor_release(&x);
    }
    Err err = {0};
    Tensor x = {0};
    file[6] = 4;
    CHECK(!npy_load(scratch_write("v.npy", file, 14 + length), &x, &err));
    CHECK_TEXT(err.text, "v.npy: .npy version 4.0 is not known");
}

/* A file with this dictionary and six bytes of data is refused with this text. */
static void check_refused(const char *dict, const char *text) {
    Err err = {0};
    Tensor x = {0};
    CHECK(!npy_load(npy_file(dict, "123456", 6), &x, &err));
    CHECK(!x.buffer);
    CHECK_TEXT(err.text, "made.npy: ");
    CHECK_TEXT(err.text, text);
}

static void refuses(void) {
    check_refused("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
                  "Python objects");
    check_refused("{'descr': '<U5', 'fortran_order': False, 'shape': (1,)}",
                  "dtype '<U5'");
    check_refused("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
                  "dtype '<c8'");
    check_refused("{'descr': '<f16', 'fortran_order': False, 'shape': (1,)}",
                  "dtype '<f16'");
    check_refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}",
                  "structured");
    check_refused("{'descr': '|u1', 'fortran_order': False, 'shape': (7,)}",
                  "its shape is given as {7}, but at most 6 bytes follow");
    check_refused("{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}",
                  "more data than its header says");
    check_refused(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
        "ends too early");
    check_refused(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "a size that is too large");
    check_refused("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
                  "a size expected");
    check_refused(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}",
        "more than 8 axes");
    check_refused("{'descr': '|u1', 'fortran_order': False, }", "no 'shape'");
    check_refused("{'descr': '|u1', 'descr': '|u1', 'shape': (6,)}", "unexpected key");
    check_refused("{'descr': '|u1', 'fortran_order': 0, 'shape': (6,)}", "True or False");
    check_refused("{'descr': '|u1', 'fortran_order': False, 'shape': (6,)} x",
                  "text after");
    check_refused("{'descr': '|u1", "a string without end");
    check_refused("", "'{' expected");
    check_refused("{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}",
                  "ends too early");
    Err err = {0};
    Tensor x = {0};
    const char *dict = "{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}";
    CHECK(!npy_load(npy_file(dict, "\0\0\0\0\0\0\0\x80", 8), &x, &err));
    CHECK_TEXT(err.text, "element 1 is 9223372036854775808, too large for int64");
}

static void foreign_files(void) {
    Err zip = {0}, text = {0}, empty = {0}, folder = {0}, missing = {0}, longer = {0};
    Tensor x = {0};
    CHECK(!npy_load(scratch_text("zip.npy", "PK\3\4 some archive"), &x, &zip));
    CHECK_TEXT(zip.text,
               "zip.npy: a zip archive (.npz), not a .npy file; read it with loadz");
    CHECK(!npy_load(scratch_text("text.npy", "hello, world, hello"), &x, &text));
    CHECK_TEXT(text.text, "not a .npy file (it does not begin with '\\x93NUMPY')");
    CHECK(!npy_load(scratch_text("empty.npy", ""), &x, &empty));
    CHECK_TEXT(empty.text, "shorter than a header");
    CHECK(!npy_load(scratch("."), &x, &folder));
    CHECK_TEXT(folder.text, "is a folder, not a file");
    CHECK(!npy_load(scratch("missing.npy"), &x, &missing));
    CHECK_TEXT(missing.text, "missing.npy: No such file or directory");
    CHECK(!npy_load(scratch_write("long.npy", "\x93NUMPY\2\0\0\0\0\x7f{}", 14), &x,
                    &longer));
    CHECK_TEXT(longer.text, "its length is given as 2130706432 bytes");
    CHECK(!x.buffer);
}

TEST_MAIN(round_trips, writes_as_numpy_does, writes_views, reads_other_types,
          reads_fortran_order, reads_versions, refuses, foreign_files)
