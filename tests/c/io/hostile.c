/* Every reader against damaged files: each byte of a small file changed in several ways,
 * and the file cut at each length. A reader may accept or refuse, but it must not crash,
 * leak or touch its output on failure; the sanitizers watch the rest. */
#include <zlib.h>
#include "io/csv.h"
#include "io/idx.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "io/scratch.h"
#include "test.h"

typedef bool Load(const char *path, Err *err);

static bool load_npy(const char *path, Err *err) {
    Tensor x = {0};
    bool ok = npy_load(path, &x, err);
    CHECK(ok == (x.buffer != NULL));
    tensor_release(&x);
    return ok;
}

static bool load_npz(const char *path, Err *err) {
    NamedTensors npz = {0};
    bool ok = npz_load(path, &npz, err);
    CHECK(ok || !npz.list);
    named_free(&npz);
    return ok;
}

static bool load_safetensors(const char *path, Err *err) {
    Safetensors file = {0};
    bool ok = safetensors_load(path, &file, err);
    CHECK(ok || (!file.arrays.list && !file.metadata));
    safetensors_free(&file);
    return ok;
}

static bool load_idx(const char *path, Err *err) {
    Tensor x = {0};
    bool ok = idx_load(path, &x, err);
    CHECK(ok == (x.buffer != NULL));
    tensor_release(&x);
    return ok;
}

static bool load_csv(const char *path, Err *err) {
    CsvTable table = {0};
    bool ok = csv_load(path, &csv_defaults, &table, err);
    CHECK(ok == (table.values.buffer != NULL));
    csv_free(&table);
    return ok;
}

/* Whether a load of these bytes succeeds; what must hold in any case is checked. */
static bool attempt(Load *load, const unsigned char *data, size_t bytes) {
    Err err = {0};
    int64_t alive = tensor_alive();
    bool ok = load(scratch_write("hostile", data, bytes), &err);
    CHECK(ok != err.set);
    CHECK(ok || strstr(err.text, "hostile"));
    CHECK(tensor_alive() == alive);
    return ok;
}

/* *cut and *flipped: how many of the damaged files were refused. */
static void damage(Load *load, const char *path, int *cut, int *flipped) {
    static const unsigned char flips[] = {0x01, 0x80, 0xff, 0x20};
    size_t bytes;
    unsigned char *data = scratch_read(path, &bytes);
    CHECK(attempt(load, data, bytes));
    *cut = *flipped = 0;
    for (size_t k = 0; k < bytes; k++) *cut += !attempt(load, data, k);
    for (size_t k = 0; k < bytes; k++)
        for (size_t f = 0; f < sizeof flips; f++) {
            data[k] ^= flips[f];
            *flipped += !attempt(load, data, bytes);
            data[k] ^= flips[f];
        }
    CHECK(*cut > 0 && *flipped > 0);
    if (load != load_csv) CHECK(*cut == (int)bytes);
    mem_free(data);
}

static void npy_files(void) {
    int cut, flipped;
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(2, 3L, 2L), 0);
    CHECK(npy_save(scratch("x.npy"), &x, NULL));
    damage(load_npy, scratch("x.npy"), &cut, &flipped);
    CHECK(flipped > 4 * 60);
    tensor_release(&x);
}

static void npz_files(void) {
    int cut, flipped;
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(1, 3L), 0),
           y = ramp(DTYPE_UINT8, shape_of(1, 9L), 0);
    NamedTensor entries[] = {{"x", x}, {"layer/y", y}};
    for (int compress = 0; compress < 2; compress++) {
        CHECK(npz_save(scratch("x.npz"), entries, 2, compress, NULL));
        damage(load_npz, scratch("x.npz"), &cut, &flipped);
        CHECK(flipped > 4 * 100);
    }
    tensor_release(&x);
    tensor_release(&y);
}

static void safetensors_files(void) {
    int cut, flipped;
    Tensor x = ramp(DTYPE_FLOAT32, shape_of(1, 3L), 0),
           y = ramp(DTYPE_UINT8, shape_of(1, 9L), 0);
    NamedTensor list[] = {{"x", x}, {"layer/y", y}};
    MetadataEntry metadata[] = {{"format", "np"}};
    Safetensors file = {{list, 2}, metadata, 1};
    CHECK(safetensors_save(scratch("x.safetensors"), &file, NULL));
    damage(load_safetensors, scratch("x.safetensors"), &cut, &flipped);
    CHECK(flipped > 4 * 60);
    tensor_release(&x);
    tensor_release(&y);
}

static void idx_files(void) {
    int cut, flipped;
    const char file[] = "\0\0\x0b\2\0\0\0\2\0\0\0\3abcdefghijkl";
    damage(load_idx, scratch_write("x.idx", file, 24), &cut, &flipped);
    gzFile gz = gzopen(scratch("x.idx.gz"), "wb");
    CHECK(gz && gzwrite(gz, file, 24) == 24 && gzclose(gz) == Z_OK);
    damage(load_idx, scratch("x.idx.gz"), &cut, &flipped);
}

static void csv_files(void) {
    int cut, flipped;
    damage(load_csv, scratch_text("x.csv", "a,\"b\"\"\",c\n1,2.5,NA\r\n\"3\",-4e2,\n"),
           &cut, &flipped);
}

TEST_MAIN(npy_files, npz_files, safetensors_files, idx_files, csv_files)
