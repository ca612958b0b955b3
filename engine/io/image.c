#include "io/image.h"
#include "base/mem.h"
#include "io/jpeg.h"
#include "io/png.h"
#include "io/reader.h"

bool image_new(const char *name, int64_t height, int64_t width, int channels, Image *out,
               Err *err) {
    if (height < 1 || width < 1 || height > IMAGE_SIDE || width > IMAGE_SIDE ||
        height * width > IMAGE_PIXELS)
        return err_set(err, "%s: a picture of %lld x %lld pixels is refused", name,
                       (long long)height, (long long)width);
    uint8_t *pixels = mem_alloc((size_t)(height * width) * (size_t)channels);
    if (!pixels) return err_set(err, "%s: not enough memory to read it", name);
    *out = (Image){height, width, channels, pixels};
    return true;
}

void image_free(Image *image) {
    mem_free(image->pixels);
    *image = (Image){0};
}

/* One pixel of `from` channels as one of `to`. */
static void convert_pixel(const uint8_t *from, int have, uint8_t *to, int want) {
    bool grey = have < 3;
    if (want < 3 && grey)
        to[0] = from[0];
    else if (want < 3)
        to[0] =
            (uint8_t)((from[0] * 19595 + from[1] * 38470 + from[2] * 7471 + 32768) >> 16);
    else
        for (int c = 0; c < 3; c++) to[c] = from[grey ? 0 : c];
    if (want % 2 == 0) to[want - 1] = have % 2 == 0 ? from[have - 1] : 255;
}

bool image_convert(const char *name, Image *image, int channels, Err *err) {
    Image made = {0};
    if (channels == image->channels) return true;
    if (!image_new(name, image->height, image->width, channels, &made, err)) return false;
    const uint8_t *from = image->pixels;
    uint8_t *to = made.pixels;
    for (int64_t i = image->height * image->width; i > 0; i--) {
        convert_pixel(from, image->channels, to, channels);
        from += image->channels, to += channels;
    }
    image_free(image);
    *image = made;
    return true;
}

static bool decode(const char *name, const char *bytes, size_t size, Image *out,
                   Err *err) {
    if (png_is(bytes, size)) return png_decode(name, bytes, size, out, err);
    if (jpeg_is(bytes, size)) return jpeg_decode(name, bytes, size, out, err);
    return err_set(err, "%s: neither a PNG nor a JPEG file", name);
}

bool image_load(const char *path, int channels, Image *out, Err *err) {
    Reader reader;
    char *bytes;
    size_t size;
    Image image = {0};
    if (!reader_open(&reader, path, err)) return false;
    bool ok = reader_rest(&reader, &bytes, &size, err);
    if (ok) {
        ok = decode(reader.name, bytes, size, &image, err);
        mem_free(bytes);
    }
    if (ok && channels && !image_convert(reader.name, &image, channels, err)) {
        image_free(&image);
        ok = false;
    }
    reader_close(&reader);
    if (ok) *out = image;
    return ok;
}
