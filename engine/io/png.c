#include "io/png.h"
#include <png.h>
#include <setjmp.h>
#include <string.h>
#include "base/mem.h"
#include "io/reader.h"

/* ---- writing ---- */

bool png_encode(const Image *image, uint8_t **bytes, size_t *size, Err *err) {
    static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA,
                                          PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
    if (image->height < 1 || image->width < 1 || image->height > IMAGE_SIDE ||
        image->width > IMAGE_SIDE || image->height * image->width > IMAGE_PIXELS)
        return err_set(err, "a picture of %lld x %lld pixels cannot be a PNG file",
                       (long long)image->height, (long long)image->width);
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)image->width,
                     .height = (png_uint_32)image->height,
                     .format = formats[image->channels]};
    png_alloc_size_t room = PNG_IMAGE_PNG_SIZE_MAX(png);
    uint8_t *block = mem_alloc(room);
    if (!block) return err_set(err, "not enough memory for a PNG file");
    if (!png_image_write_to_memory(&png, block, &room, 0, image->pixels, 0, NULL)) {
        mem_free(block);
        return err_set(err, "cannot make a PNG file: %s", png.message);
    }
    *bytes = block, *size = room;
    return true;
}

/* ---- reading ---- */

/* What the callbacks of libpng see. libpng leaves by longjmp, over its own frames alone. */
typedef struct Decoder {
    jmp_buf leave;
    const char *name;
    const uint8_t *at;
    size_t left;
    Err *err;
    Image image;
    png_bytep *rows;
} Decoder;

static void stop(png_structp png, png_const_charp message) {
    Decoder *decoder = png_get_error_ptr(png);
    err_set(decoder->err, "%s: damaged PNG file: %s", decoder->name, message);
    longjmp(decoder->leave, 1);
}

/* What libpng only warns of concerns side chunks. */
static void ignore(png_structp png, png_const_charp message) {}

static void take(png_structp png, png_bytep to, size_t bytes) {
    Decoder *decoder = png_get_io_ptr(png);
    if (bytes > decoder->left) png_error(png, "it ends too early");
    memcpy(to, decoder->at, bytes);
    decoder->at += bytes, decoder->left -= bytes;
}

/* Room for the picture, unless that is more than the file can hold. */
static void make_room(Decoder *decoder, png_structp png, png_infop info, size_t size) {
    int64_t height = png_get_image_height(png, info),
            width = png_get_image_width(png, info);
    int depth = png_get_bit_depth(png, info) * png_get_channels(png, info);
    if ((uint64_t)width * (uint64_t)depth / 8 * (uint64_t)height >
        (uint64_t)size * DEFLATE_RATIO)
        png_error(png, "it is shorter than its size in pixels needs");
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (!image_new(decoder->name, height, width, png_get_channels(png, info),
                   &decoder->image, decoder->err))
        longjmp(decoder->leave, 1);
    decoder->rows = mem_alloc((size_t)height * sizeof *decoder->rows);
    if (!decoder->rows) png_error(png, "not enough memory to read it");
    size_t row = (size_t)width * (size_t)decoder->image.channels;
    for (int64_t y = 0; y < height; y++)
        decoder->rows[y] = decoder->image.pixels + (size_t)y * row;
}

static bool decode(Decoder *decoder, png_structp png, png_infop info, size_t size) {
    if (setjmp(decoder->leave)) return false;
    png_set_read_fn(png, decoder, take);
    png_set_user_limits(png, IMAGE_SIDE, IMAGE_SIDE);
    png_read_info(png, info);
    make_room(decoder, png, info, size);
    png_read_image(png, decoder->rows);
    png_read_end(png, NULL);
    return true;
}

bool png_decode(const char *name, const void *bytes, size_t size, Image *out, Err *err) {
    Decoder decoder = {.name = name, .at = bytes, .left = size, .err = err};
    png_structp png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, stop, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool ok = info ? decode(&decoder, png, info, size)
                   : err_set(err, "%s: not enough memory to read it", name);
    png_destroy_read_struct(&png, &info, NULL);
    mem_free(decoder.rows);
    if (ok)
        *out = decoder.image;
    else
        image_free(&decoder.image);
    return ok;
}

bool png_is(const void *bytes, size_t size) {
    return size >= 8 && png_sig_cmp(bytes, 0, 8) == 0;
}
