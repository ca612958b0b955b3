#include "io/safetensors.h"
#include "io/scratch.h"
#include "test.h"

static void round_trip(void) {
    Err err = {0};
    Safetensors file = {0};
    Tensor kernel = ramp(DTYPE_FLOAT32, shape_of(2, 3L, 4L), 0);
    Tensor step = ramp(DTYPE_INT64, shape_of(0), 7),
           flags = ramp(DTYPE_UINT8, shape_of(1, 3L), 1),
           none = ramp(DTYPE_FLOAT64, shape_of(2, 0L, 5L), 0);
    Tensor view = {0}, straight = {0};
    CHECK(tensor_permute(&kernel, (int[]){1, 0}, &view, &err));
    CHECK(tensor_contiguous(&view, &straight, &err));
    NamedTensor list[] = {{"flags", flags},
                          {"dense/kernel", kernel},
                          {"step", step},
                          {"none", none},
                          {"view", view}};
    MetadataEntry metadata[] = {{"format", "np"}, {"who", "\xc3\xa9 \"q\""}};
    Safetensors given = {{list, 5}, metadata, 2};
    CHECK(safetensors_save(scratch("w.safetensors"), &given, &err));
    CHECK(safetensors_load(scratch("w.safetensors"), &file, &err));
    CHECK(scratch_count() == 1);
    CHECK(file.arrays.count == 5 && file.metadata_count == 2);
    for (int k = 0; k < 5; k++) {
        CHECK_TEXT(file.arrays.list[k].name, list[k].name);
        CHECK(same(&file.arrays.list[k].tensor, k == 4 ? &straight : &list[k].tensor));
    }
    CHECK_TEXT(file.metadata[1].key, "who");
    CHECK_TEXT(file.metadata[1].value, "\xc3\xa9 \"q\"");
    safetensors_free(&file);
    for (int k = 0; k < 5; k++) tensor_release(&list[k].tensor);
    tensor_release(&straight);
    CHECK(tensor_alive() == 0);
}

/* The file of this header and these data. */
static const char *compose(const char *header, const void *data, size_t bytes) {
    static unsigned char file[4096];
    size_t length = strlen(header);
    memset(file, 0, 8);
    file[0] = (unsigned char)length, file[1] = (unsigned char)(length >> 8);
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, data, bytes);
    return scratch_write("c.safetensors", file, 8 + length + bytes);
}

static void types_become_the_nearest(void) {
    static const struct {
        const char *type, *data;
        int bytes;
        DType dtype;
        double value;
    } cases[] = {
        {"BOOL", "\1", 1, DTYPE_BOOL, 1},
        {"U8", "\xff", 1, DTYPE_UINT8, 255},
        {"I8", "\xff", 1, DTYPE_INT32, -1},
        {"U16", "\xff\xff", 2, DTYPE_INT32, 65535},
        {"I16", "\xfe\xff", 2, DTYPE_INT32, -2},
        {"U32", "\xff\xff\xff\xff", 4, DTYPE_INT64, 4294967295.0},
        {"I32", "\xfd\xff\xff\xff", 4, DTYPE_INT32, -3},
        {"U64", "\1\0\0\0\1\0\0\0", 8, DTYPE_INT64, 4294967297.0},
        {"I64", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, DTYPE_INT64, -1},
        {"F16", "\0\x3e", 2, DTYPE_FLOAT32, 1.5},
        {"BF16", "\x20\xc0", 2, DTYPE_FLOAT32, -2.5},
        {"F32", "\0\0\xc0\x3f", 4, DTYPE_FLOAT32, 1.5},
        {"F64", "\0\0\0\0\0\0\xf8\x3f", 8, DTYPE_FLOAT64, 1.5},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char header[128];
        Err err = {0};
        Safetensors file = {0};
        snprintf(header, sizeof header,
                 "{\"x\":{\"dtype\":\"%s\",\"shape\":[],\"data_offsets\":[0,%d]}}",
                 cases[k].type, cases[k].bytes);
        CHECK(safetensors_load(compose(header, cases[k].data, (size_t)cases[k].bytes),
                               &file, &err));
        CHECK(file.arrays.count == 1 &&
              file.arrays.list[0].tensor.dtype == cases[k].dtype);
        CHECK(at(&file.arrays.list[0].tensor, 0) == cases[k].value);
        safetensors_free(&file);
    }
}

/* Each is refused before an array is made: the message tells why. */
static void headers_that_lie(void) {
    static const struct {
        const char *header, *message;
    } cases[] = {
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}",
         "array 'x': its data end at byte 12, but 8 follow"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",
         "shape {3} does not take the 8 bytes"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],"
         "\"data_offsets\":[0,8]}}",
         "does not take the 8 bytes"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
         "its shape must hold sizes"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,8]}}",
         "its shape must hold sizes"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,2],"
         "\"data_offsets\":[0,8]}}",
         "more axes"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
         "8 bytes follow the header, but its arrays take 4"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         "a hole before its data"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         "array 'y': its data overlap"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         "duplicate"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
         "data_offsets must be two places"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}",
         "data_offsets must be two places"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2]}}", "data_offsets must be two places"},
        {"{\"x\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "has no dtype"},
        {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", "has no shape"},
        {"{\"x\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}",
         "dtype 'F8_E4M3' cannot be read"},
        {"{\"x\":7}", "has no dtype"},
        {"{\"__metadata__\":{\"a\":1}}", "__metadata__ must hold names and texts"},
        {"[1,2]", "no JSON object"},
        {"{\"x\":", "the header is damaged"},
        {"", "its header is given as 0 bytes"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Err err = {0};
        Safetensors file = {0};
        CHECK(!safetensors_load(compose(cases[k].header, "\0\0\0\0\0\0\0\0", 8), &file,
                                &err));
        CHECK_TEXT(err.text, cases[k].message);
        CHECK_TEXT(err.text, "c.safetensors");
        CHECK(!file.arrays.list && !file.metadata);
    }
    Err err = {0};
    Safetensors file = {0};
    CHECK(!safetensors_load(
        scratch_text("d.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}"), &file,
        &err));
    CHECK_TEXT(err.text, "its header is given as 9223372036854775807 bytes, 2 follow");
    CHECK(tensor_alive() == 0);
}

static void names_that_cannot_be_written(void) {
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(1, 2L), 0);
    static const struct {
        const char *first, *second, *message;
    } cases[] = {{"a", "a", "stands there twice"},
                 {"__metadata__", "a", "cannot be named __metadata__"},
                 {"a", "\xff", "not UTF-8"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Err err = {0};
        int before = scratch_count();
        NamedTensor list[] = {{cases[k].first, x}, {cases[k].second, x}};
        Safetensors file = {.arrays = {list, 2}};
        CHECK(!safetensors_save(scratch("n.safetensors"), &file, &err));
        CHECK_TEXT(err.text, cases[k].message);
        CHECK(scratch_count() == before);
    }
    tensor_release(&x);
}

/* Whichever allocation fails, nothing leaks and nothing half-read comes out. */
static void without_memory(void) {
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(1, 5L), 0);
    NamedTensor list[] = {{"a", x}, {"b", x}};
    MetadataEntry metadata[] = {{"k", "v"}};
    Safetensors given = {{list, 2}, metadata, 1};
    CHECK(safetensors_save(scratch("m.safetensors"), &given, NULL));
    int failed = 0;
    for (int n = 1; n < 40; n++) {
        Err err = {0};
        Safetensors file = {0};
        size_t before = mem_bytes();
        tensor_trim();
        mem_fail_at(n);
        bool ok = safetensors_load(scratch("m.safetensors"), &file, &err);
        mem_fail_at(0);
        CHECK(ok != err.set && ok == (file.arrays.count == 2));
        failed += !ok;
        safetensors_free(&file);
        tensor_trim();
        CHECK(mem_bytes() <= before);
    }
    CHECK(failed >= 8);
    tensor_release(&x);
}

TEST_MAIN(round_trip, types_become_the_nearest, headers_that_lie,
          names_that_cannot_be_written, without_memory)
