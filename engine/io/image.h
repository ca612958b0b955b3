/* Pictures in memory: rows of pixels of 8 bits a channel, as files hold them.
 *
 *     Image image = {0};
 *     if (!image_load("cat.jpg", 3, &image, &err)) ...
 *     image_free(&image);
 *
 * A file is PNG or JPEG as its first bytes say, whatever its name. Files that are damaged,
 * cut short or of absurd size are refused with their name. All functions may be called from
 * any thread. */
#ifndef CDL_IO_IMAGE_H
#define CDL_IO_IMAGE_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

typedef struct Image {
    int64_t height, width;
    int channels;    /* 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
    uint8_t *pixels; /* {height, width, channels}, for mem_free */
} Image;

/* More pixels than this are taken for damage. */
enum { IMAGE_SIDE = 1 << 20, IMAGE_PIXELS = 1 << 28 };

/* Reads a file. channels: those wanted (1, 3 or 4), or 0 for the file's own. */
bool image_load(const char *path, int channels, Image *out, Err *err);
void image_free(Image *image);

/* Room for a picture; the name begins the message when its size is refused. */
bool image_new(const char *name, int64_t height, int64_t width, int channels, Image *out,
               Err *err);
/* The picture with other channels, in place of the old one. Grey is 0.299 R + 0.587 G +
 * 0.114 B (ITU-R 601); alpha is dropped, or added as opaque. */
bool image_convert(const char *name, Image *image, int channels, Err *err);

#endif
