/* JPEG pictures through libjpeg(-turbo), from memory. Grey files give 1 channel, all others
 * RGB. */
#ifndef CDL_IO_JPEG_H
#define CDL_IO_JPEG_H
#include "io/image.h"

/* The name is the file's, for messages. */
bool jpeg_decode(const char *name, const void *bytes, size_t size, Image *out, Err *err);
bool jpeg_is(const void *bytes, size_t size); /* whether it begins as a JPEG file does */

#endif
