/* Batches of pictures, made by threads of their own ahead of their use.
 *
 *     ImageLoader *loader = image_loader_new(&work, NULL, 2, &err);
 *     image_loader_ask(loader, 32, jobs, &err);          // and the next ones
 *     if (!image_loader_take(loader, &batch, &err)) ...  // those asked for first
 *     const char *why = image_loader_failure(loader, 3); // picture 3 could not be read
 *     image_loader_free(loader);
 *
 * Which picture is worked on when does not change what comes out. One thread (the main
 * one) uses a loader. In a forked process it starts threads anew. */
#ifndef CDL_DATA_IMAGE_LOADER_H
#define CDL_DATA_IMAGE_LOADER_H
#include "data/image_work.h"
#include "tensor/tensor.h"

typedef struct ImageLoader ImageLoader;

/* images: the source of jobs without a path, contiguous; NULL: there is none. The loader
 * keeps a reference. */
ImageLoader *image_loader_new(const ImageWork *work, const Tensor *images, int threads,
                              Err *err);
void image_loader_free(ImageLoader *loader); /* NULL is fine */

/* Jobs and paths are copied. An error when a job's row is not one of the images. */
bool image_loader_ask(ImageLoader *loader, int64_t n, const ImageJob jobs[], Err *err);
/* Waits for the batch that was asked for first: float32 {n, height, width, channels}.
 * Pictures that could not be read are 0. An error when nothing was asked for. */
bool image_loader_take(ImageLoader *loader, Tensor *out, Err *err);
/* Why picture i of the batch taken last could not be read; NULL: it was. */
const char *image_loader_failure(const ImageLoader *loader, int64_t i);

#endif
