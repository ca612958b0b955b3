#include "io/image.h"
#include <stdio.h>
#include <jpeglib.h>
#include <zlib.h>
#include "io/png.h"
#include "io/scratch.h"
#include "test.h"

/* A picture whose bytes are 7, 14, 21 ... */
static Image sample(int64_t height, int64_t width, int channels) {
    Image image = {0};
    if (!image_new("sample", height, width, channels, &image, NULL)) exit(2);
    for (int64_t i = 0; i < height * width * channels; i++)
        image.pixels[i] = (uint8_t)(7 * (i + 1));
    return image;
}

static bool alike(const Image *a, const Image *b) {
    return a->height == b->height && a->width == b->width && a->channels == b->channels &&
           memcmp(a->pixels, b->pixels,
                  (size_t)(a->height * a->width) * (size_t)a->channels) == 0;
}

static void png_gives_back_what_it_was_given(void) {
    for (int channels = 1; channels <= 4; channels++) {
        Err err = {0};
        Image image = sample(5, 3, channels), again = {0};
        uint8_t *bytes = NULL;
        size_t size = 0;
        CHECK(png_encode(&image, &bytes, &size, &err));
        CHECK(png_is(bytes, size));
        CHECK(png_decode("x.png", bytes, size, &again, &err));
        CHECK(!err.set && again.pixels && alike(&image, &again));
        mem_free(bytes);
        image_free(&image);
        image_free(&again);
    }
}

/* Every beginning of a file, and every file with one byte changed: read or refused, and
 * nothing else. */
static void check_damage(const uint8_t *bytes, size_t size, bool whole) {
    uint8_t *copy = mem_alloc(size);
    for (size_t length = 0; length < size; length++) {
        Err err = {0};
        Image image = {0};
        bool ok = image_load(scratch_write("cut", bytes, length), 3, &image, &err);
        CHECK(ok ? !whole && image.pixels : err.set && !image.pixels);
        if (!ok) CHECK_TEXT(err.text, "cut: ");
        image_free(&image);
    }
    for (size_t i = 0; i < size; i++) {
        Err err = {0};
        Image image = {0};
        memcpy(copy, bytes, size);
        copy[i] ^= 0x55;
        bool ok = image_load(scratch_write("changed", copy, size), 0, &image, &err);
        CHECK(ok == !err.set && ok == (image.pixels != NULL));
        image_free(&image);
    }
    mem_free(copy);
}

static void damaged_png_is_refused(void) {
    Image image = sample(4, 4, 3);
    uint8_t *bytes = NULL;
    size_t size = 0;
    CHECK(png_encode(&image, &bytes, &size, NULL));
    check_damage(bytes, size, true);
    mem_free(bytes);
    image_free(&image);
}

/* A JPEG file of one colour, made by libjpeg. */
static unsigned char *jpeg_of(int height, int width, int channels, const uint8_t *colour,
                              unsigned long *size) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, size);
    jpeg.image_width = (JDIMENSION)width, jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = channels;
    jpeg.in_color_space = channels == 1   ? JCS_GRAYSCALE
                          : channels == 3 ? JCS_RGB
                                          : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t *row = mem_alloc((size_t)(width * channels));
    for (int i = 0; i < width * channels; i++) row[i] = colour[i % channels];
    for (int y = 0; y < height; y++) jpeg_write_scanlines(&jpeg, &row, 1);
    mem_free(row);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return bytes;
}

static void check_jpeg(int channels, const uint8_t *colour, int want,
                       const uint8_t *expected) {
    Err err = {0};
    Image image = {0};
    unsigned long size = 0;
    unsigned char *bytes = jpeg_of(9, 17, channels, colour, &size);
    CHECK(image_load(scratch_write("x.jpg", bytes, size), want, &image, &err));
    CHECK(image.height == 9 && image.width == 17 && image.channels == want);
    for (int64_t i = 0; image.pixels && i < 9 * 17 * want; i++)
        CHECK_NEAR(image.pixels[i], expected[i % want], 2.0);
    image_free(&image);
    free(bytes);
}

static void jpeg_gives_colours(void) {
    check_jpeg(3, (uint8_t[]){200, 100, 50}, 3, (uint8_t[]){200, 100, 50});
    check_jpeg(3, (uint8_t[]){200, 100, 50}, 1, (uint8_t[]){124});
    check_jpeg(3, (uint8_t[]){200, 100, 50}, 4, (uint8_t[]){200, 100, 50, 255});
    check_jpeg(1, (uint8_t[]){90}, 1, (uint8_t[]){90});
    check_jpeg(1, (uint8_t[]){90}, 3, (uint8_t[]){90, 90, 90});
    /* libjpeg writes Adobe's marker with CMYK, so the values are inverted. */
    check_jpeg(4, (uint8_t[]){200, 100, 50, 255}, 3, (uint8_t[]){200, 100, 50});
    check_jpeg(4, (uint8_t[]){200, 100, 50, 51}, 3, (uint8_t[]){40, 20, 10});
}

static void damaged_jpeg_is_refused(void) {
    unsigned long size = 0;
    unsigned char *bytes = jpeg_of(8, 8, 3, (uint8_t[]){10, 200, 30}, &size);
    check_damage(bytes, size, false);
    free(bytes);
    Image image = {0};
    Err err = {0};
    bytes = jpeg_of(64, 64, 3, (uint8_t[]){10, 200, 30}, &size);
    CHECK(!image_load(scratch_write("half.jpg", bytes, size - 20), 0, &image, &err));
    CHECK_TEXT(err.text, "half.jpg: damaged JPEG file: Premature end");
    free(bytes);
}

static void absurd_sizes_are_refused(void) {
    Image image = sample(4, 4, 1), none = {0};
    Err err = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    CHECK(!image_new("big", 1 << 20, 1 << 20, 1, &none, &err) && !none.pixels);
    CHECK_TEXT(err.text, "big: a picture of 1048576 x 1048576 pixels is refused");
    CHECK(png_encode(&image, &bytes, &size, NULL));
    /* Two hundred million pixels, with the checksum that belongs to them. */
    bytes[18] = 0x3c, bytes[22] = 0x3c;
    uint32_t sum = (uint32_t)crc32(0, bytes + 12, 17);
    for (int i = 0; i < 4; i++) bytes[29 + i] = (uint8_t)(sum >> (24 - 8 * i));
    err = (Err){0};
    CHECK(!png_decode("bomb.png", bytes, size, &none, &err) && !none.pixels);
    CHECK_TEXT(err.text, "bomb.png: damaged PNG file: it is shorter than its size");
    mem_free(bytes);
    image_free(&image);
}

static void other_files_are_refused(void) {
    Image image = {0};
    Err err = {0};
    CHECK(!image_load(scratch_text("x.gif", "GIF89a"), 0, &image, &err));
    CHECK_TEXT(err.text, "x.gif: neither a PNG nor a JPEG file");
    err = (Err){0};
    CHECK(!image_load(scratch("absent.png"), 0, &image, &err));
    CHECK_TEXT(err.text, "absent.png: No such file");
}

TEST_MAIN(png_gives_back_what_it_was_given, damaged_png_is_refused, jpeg_gives_colours,
          damaged_jpeg_is_refused, absurd_sizes_are_refused, other_files_are_refused)
