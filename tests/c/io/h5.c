#include "io/h5.h"
#include "io/scratch.h"
#include "test.h"

static int64_t find(const H5File *file, const char *path) {
    for (int64_t k = 0; k < h5_count(file); k++)
        if (strcmp(h5_path(file, k), path) == 0) return k;
    return -1;
}

static void compare(const H5File *file, const H5Array *arrays, int64_t count) {
    Err err = {0};
    for (int64_t k = 0; k < count; k++) {
        Tensor tensor = {0};
        int64_t at = find(file, arrays[k].path);
        CHECK(at >= 0 && h5_is_array(file, at));
        if (at < 0 || !h5_read(file, at, &tensor, &err)) continue;
        CHECK(same(&tensor, &arrays[k].tensor));
        tensor_release(&tensor);
    }
    CHECK(!err.set);
}

/* The image's bytes in one block. */
static char *flatten(const H5Image *image) {
    char *block = mem_alloc(image->size), *at = block;
    for (int64_t k = 0; k < image->count; at += image->parts[k++].bytes)
        memcpy(at, image->parts[k].data, image->parts[k].bytes);
    CHECK((size_t)(at - block) == image->size);
    return block;
}

static void every_type_comes_back(void) {
    Err err = {0};
    H5Array arrays[] = {
        {"/layers/dense/vars/0", ramp(DTYPE_FLOAT32, shape_of(2, 3L, 4L), 0)},
        {"/layers/dense/vars/1", ramp(DTYPE_FLOAT64, shape_of(1, 5L), 1)},
        {"/step", ramp(DTYPE_INT64, shape_of(0), 7)},
        {"/a/deep/path/of/sixty-four/bytes/whose/end/falls/on/the/border/0",
         ramp(DTYPE_INT32, shape_of(3, 2L, 1L, 2L), 2)},
        {"/none", ramp(DTYPE_FLOAT32, shape_of(2, 0L, 3L), 0)},
        {"/large/0", ramp(DTYPE_FLOAT32, shape_of(2, 300L, 100L), 3)},
        {"/large/1", ramp(DTYPE_INT64, shape_of(1, 20000L), 4)},
        {"/small", ramp(DTYPE_UINT8, shape_of(1, 3L), 1)},
    };
    enum { COUNT = sizeof arrays / sizeof *arrays };
    H5Image image = {0}, again = {0};
    CHECK(h5_write(arrays, COUNT, &image, &err));
    CHECK(h5_write(arrays, COUNT, &again, &err));
    char *bytes = flatten(&image), *same_bytes = flatten(&again);
    size_t size = image.size;
    CHECK(size == again.size && memcmp(bytes, same_bytes, size) == 0);
    CHECK(h5_image_write(&image, scratch("w.h5"), &err));
    h5_image_free(&image);
    h5_image_free(&again);
    mem_free(same_bytes);
    H5File *file = h5_open(scratch("w.h5"), &err);
    CHECK(file && find(file, "") == 0 && find(file, "/layers/dense") > 0);
    if (file) compare(file, arrays, COUNT);
    H5Texts texts = {0};
    CHECK(file && h5_texts(file, 0, "layer_names", &texts, &err) && texts.count == -1);
    h5_close(file);
    file = h5_open_image(bytes, size, "in memory", &err);
    CHECK(file != NULL);
    if (file) compare(file, arrays, COUNT);
    h5_close(file);
    for (int k = 0; k < COUNT; k++) tensor_release(&arrays[k].tensor);
    CHECK(tensor_alive() == 0);
}

static void check_entry(const char *path, const H5Array *array, bool whole) {
    Err err = {0};
    Archive *archive = archive_open(path, &err);
    H5File *file = archive ? h5_open_entry(archive, 1, &err) : NULL;
    CHECK((file != NULL) == whole);
    if (whole && file) compare(file, array, 1);
    if (!whole) CHECK_TEXT(err.text, "w.h5");
    h5_close(file);
    archive_close(archive);
}

/* Stored as it is or packed; a bit that is wrong in the array itself is found by the sum. */
static void entries_of_archives_come_back(void) {
    Err err = {0};
    H5Array array = {"/vars/0", ramp(DTYPE_FLOAT32, shape_of(2, 300L, 100L), 5)};
    H5Image image = {0};
    char *bytes;
    size_t size;
    Reader reader;
    CHECK(h5_write(&array, 1, &image, &err));
    for (int packed = 0; packed < 2; packed++) {
        const char *path = scratch("w.zip");
        ArchiveWriter *writer = archive_create(path, &err);
        CHECK(archive_add(writer, "first", "text", 4, "", 0, false, &err));
        CHECK(archive_add_parts(writer, "w.h5", image.parts, image.count, packed, &err));
        CHECK(archive_finish(writer, &err));
        check_entry(path, &array, true);
    }
    ArchiveWriter *writer = archive_create(scratch("w.zip"), &err);
    CHECK(archive_add_parts(writer, "first", image.parts, image.count, true, &err));
    CHECK(archive_add_parts(writer, "w.h5", image.parts, image.count, false, &err));
    CHECK(archive_finish(writer, &err) &&
          reader_open_plain(&reader, scratch("w.zip"), &err));
    CHECK(reader_rest(&reader, &bytes, &size, &err));
    reader_close(&reader);
    bytes[size - 60000] ^= 1;
    check_entry(scratch_write("w.zip", bytes, size), &array, false);
    mem_free(bytes);
    h5_image_free(&image);
    tensor_release(&array.tensor);
    CHECK(tensor_alive() == 0);
}

/* The library falls over some of these; this process does not. */
static void damaged_files_are_errors(void) {
    Err err = {0};
    H5Array array = {"/layers/dense/vars/0", ramp(DTYPE_FLOAT32, shape_of(2, 3L, 4L), 0)};
    H5Image image = {0};
    CHECK(h5_write(&array, 1, &image, &err));
    char *whole = flatten(&image), *bytes = mem_alloc(image.size);
    int failed = 0;
    for (size_t cut = 0; cut < image.size; cut += 331) {
        Err why = {0};
        CHECK(h5_open(scratch_write("cut.h5", whole, cut), &why) == NULL);
        CHECK_TEXT(why.text, "cut.h5");
    }
    for (size_t at = 0; at < image.size; at += 41) {
        Err why = {0};
        memcpy(bytes, whole, image.size);
        bytes[at] = (char)~bytes[at];
        H5File *file = h5_open(scratch_write("bits.h5", bytes, image.size), &why);
        if (!file) {
            failed++;
            CHECK_TEXT(why.text, "bits.h5");
        }
        h5_close(file);
    }
    CHECK(failed > 5);
    CHECK(h5_open(scratch("missing.h5"), &err) == NULL);
    CHECK_TEXT(err.text, "missing.h5");
    mem_free(bytes);
    mem_free(whole);
    h5_image_free(&image);
    tensor_release(&array.tensor);
}

TEST_MAIN(every_type_comes_back, entries_of_archives_come_back, damaged_files_are_errors)
