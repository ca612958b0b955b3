/* What is done to a picture on its way into a batch: read, bring to size, move, colour,
 * scale. The result is float32 {height, width, channels}.
 *
 *     ImageWork work = {.height = 150, .width = 150, .channels = 3};
 *     ImageJob job = {.path = "cat.jpg", .shift = NAN, .brightness = NAN};
 *     if (!image_work_run(&work, &job, pixels, &err)) ...
 *
 * Needs no Lua, no thread pool and no tensor, so that any thread may run it. */
#ifndef CDL_DATA_IMAGE_WORK_H
#define CDL_DATA_IMAGE_WORK_H
#include "base/err.h"
#include "io/image.h"
#include "tensor/dtype.h"

/* In the order of the op resize's kernels; nearest is none of them. */
typedef enum ImageResize {
    IMAGE_BILINEAR,
    IMAGE_BICUBIC,
    IMAGE_LANCZOS3,
    IMAGE_LANCZOS5,
    IMAGE_NEAREST
} ImageResize;

/* What happens to a picture whose sides have another ratio. */
typedef enum ImageFit { IMAGE_STRETCH, IMAGE_CROP, IMAGE_PAD } ImageFit;

typedef struct ImageWork {
    int64_t height, width; /* of the result; 0: the picture's own (a single job alone) */
    int channels;
    ImageResize resize;
    bool antialias, whole; /* whole: values are rounded to 0 .. 255 after resizing */
    ImageFit fit;
    bool bilinear; /* how moved pixels are read, and what lies outside: see the op */
    int64_t fill;  /* affine_transform */
    double fill_value;
    double rescale; /* factor at the end; 0: none */
    /* Where the pictures come from that have no path: {n, height, width, channels}. */
    const void *source;
    DType source_dtype; /* uint8 or float32 */
} ImageWork;

typedef struct ImageJob {
    const char *path; /* NULL: picture `row` of the source */
    int64_t row;
    bool moved;
    double transform[8]; /* of affine_transform, when moved */
    double shift;        /* added to the colours; NAN: nothing */
    double brightness;   /* factor of the colours; NAN: nothing */
} ImageJob;

/* to: height x width x channels floats. */
bool image_work_run(const ImageWork *work, const ImageJob *job, float *to, Err *err);

/* A whole picture at its own size when work->height is 0; *to is for mem_free. */
bool image_work_load(const ImageWork *work, const char *path, float **to, int64_t *height,
                     int64_t *width, Err *err);

#endif
