/* PNG pictures (https://www.w3.org/TR/png) through libpng, to and from memory.
 *
 *     uint8_t *bytes;
 *     size_t size;
 *     if (!png_encode(&image, &bytes, &size, &err)) ...
 *     mem_free(bytes);
 *
 * Writes 8 bits a channel. Reads every colour type and depth: palettes become RGB, fewer
 * than 8 bits are spread over the range, 16 bits are scaled down. */
#ifndef CDL_IO_PNG_H
#define CDL_IO_PNG_H
#include "io/image.h"

bool png_encode(const Image *image, uint8_t **bytes, size_t *size, Err *err);
/* The name is the file's, for messages. */
bool png_decode(const char *name, const void *bytes, size_t size, Image *out, Err *err);
bool png_is(const void *bytes, size_t size); /* whether it begins as a PNG file does */

#endif
