#include "data/image_work.h"
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "graph/call_setup.h"

/* Pixels {height, width, channels} in memory of their own. */
typedef struct Floats {
    int64_t height, width;
    int channels;
    float *at;
} Floats;

static bool floats_new(int64_t height, int64_t width, int channels, Floats *out,
                       Err *err) {
    float *at = mem_alloc((size_t)(height * width * channels) * sizeof *at);
    if (!at)
        return err_set(err, "not enough memory for a picture of %lld x %lld pixels",
                       (long long)height, (long long)width);
    *out = (Floats){height, width, channels, at};
    return true;
}

static size_t floats_bytes(const Floats *x) {
    return (size_t)(x->height * x->width * x->channels) * sizeof *x->at;
}

/* ---- kernels, on this thread alone ---- */

static bool run_kernel(OpId op, const Attrs *attrs, int n_in, const Type types[],
                       void *const in[], const Type *type, float *out, Err *err) {
    Operand ins[2], outs[1];
    Call call;
    const Kernel *kernel = op_kernel(op);
    call_init(&call, kernel, attrs, n_in, types, ins, 1, type, outs);
    for (int k = 0; k < n_in; k++) ins[k].data = in[k];
    outs[0].data = out;
    size_t bytes = call_scratch(kernel, &call);
    if (bytes && !(call.scratch = mem_alloc(bytes)))
        return err_set(err, "not enough memory to work on a picture");
    for (int phase = 0; phase < call_phases(kernel); phase++)
        for (int64_t part = 0; part < call_parts(kernel, &call, phase); part++)
            kernel->phase[phase].run(&call, part);
    mem_free(call.scratch);
    return true;
}

static Type type_of(int64_t height, int64_t width, int channels) {
    return (Type){DTYPE_FLOAT32,
                  shape_of(4, (int64_t)1, height, width, (int64_t)channels)};
}

/* ---- size ---- */

/* The pixel in the middle of each result is moved, not computed with. */
static void pick_nearest(const Floats *x, Floats *y) {
    size_t pixel = (size_t)x->channels;
    for (int64_t r = 0; r < y->height; r++) {
        int64_t from_row = (2 * r + 1) * x->height / (2 * y->height);
        for (int64_t c = 0; c < y->width; c++) {
            int64_t from = from_row * x->width + (2 * c + 1) * x->width / (2 * y->width);
            memcpy(y->at + (size_t)(r * y->width + c) * pixel,
                   x->at + (size_t)from * pixel, pixel * sizeof *x->at);
        }
    }
}

/* One axis (1 rows, 2 columns) brought to its size; x becomes the result. */
static bool resize_axis(const ImageWork *work, int axis, int64_t size, Floats *x,
                        Err *err) {
    Floats y = {0};
    bool rows = axis == 1;
    if (size == (rows ? x->height : x->width)) return true;
    if (!floats_new(rows ? size : x->height, rows ? x->width : size, x->channels, &y,
                    err))
        return false;
    Attrs attrs = {.i = {axis, size, work->resize, work->antialias}};
    Type from = type_of(x->height, x->width, x->channels),
         to = type_of(y.height, y.width, y.channels);
    bool ok = run_kernel(OP_resize, &attrs, 1, &from, (void *[]){x->at}, &to, y.at, err);
    mem_free(ok ? x->at : y.at);
    if (ok) *x = y;
    return ok;
}

static void round_pixels(Floats *x) {
    for (int64_t i = 0; i < x->height * x->width * x->channels; i++)
        x->at[i] = fminf(fmaxf(floorf(x->at[i] + 0.5f), 0), 255);
}

static bool bring_to_size(const ImageWork *work, int64_t height, int64_t width, Floats *x,
                          Err *err) {
    if (x->height == height && x->width == width) return true;
    if (work->resize == IMAGE_NEAREST) {
        Floats y = {0};
        if (!floats_new(height, width, x->channels, &y, err)) return false;
        pick_nearest(x, &y);
        mem_free(x->at);
        *x = y;
        return true;
    }
    if (!resize_axis(work, 1, height, x, err) || !resize_axis(work, 2, width, x, err))
        return false;
    if (work->whole) round_pixels(x);
    return true;
}

/* The picture as floats, without what IMAGE_CROP cuts off: what lies outside the largest
 * window in the middle whose sides have the result's ratio. */
static bool take_image(const ImageWork *work, const Image *image, Floats *out, Err *err) {
    int64_t height = image->height, width = image->width;
    if (work->fit == IMAGE_CROP && work->height) {
        int64_t high = image->width * work->height / work->width,
                wide = image->height * work->width / work->height;
        height = high < 1 ? 1 : high < height ? high : height;
        width = wide < 1 ? 1 : wide < width ? wide : width;
    }
    if (!floats_new(height, width, image->channels, out, err)) return false;
    int64_t top = (image->height - height) / 2, left = (image->width - width) / 2;
    int64_t row = width * image->channels;
    for (int64_t r = 0; r < height; r++) {
        const uint8_t *from =
            image->pixels + (size_t)(((r + top) * image->width + left) * image->channels);
        float *to = out->at + (size_t)(r * row);
        for (int64_t i = 0; i < row; i++) to[i] = from[i];
    }
    return true;
}

/* IMAGE_PAD: as large as the result has room for, in the middle of zeros. Sizes are
 * computed in float, as TensorFlow's resize_with_pad does. */
static bool pad_to_size(const ImageWork *work, Floats *x, Err *err) {
    float across = (float)x->width / (float)work->width,
          down = (float)x->height / (float)work->height;
    float ratio = across > down ? across : down;
    int64_t height = (int64_t)((float)x->height / ratio),
            width = (int64_t)((float)x->width / ratio);
    Floats y = {0};
    if (!bring_to_size(work, height > 0 ? height : 1, width > 0 ? width : 1, x, err) ||
        !floats_new(work->height, work->width, x->channels, &y, err))
        return false;
    memset(y.at, 0, floats_bytes(&y));
    int64_t top = (y.height - x->height) / 2, left = (y.width - x->width) / 2;
    size_t row = (size_t)(x->width * x->channels);
    for (int64_t r = 0; r < x->height; r++)
        memcpy(y.at + (size_t)(((r + top) * y.width + left) * y.channels),
               x->at + (size_t)r * row, row * sizeof *y.at);
    mem_free(x->at);
    *x = y;
    return true;
}

static bool read_file(const ImageWork *work, const char *path, Floats *out, Err *err) {
    Image image = {0};
    Floats x = {0};
    if (!image_load(path, work->channels, &image, err)) return false;
    bool ok = take_image(work, &image, &x, err);
    image_free(&image);
    if (ok && work->height)
        ok = work->fit == IMAGE_PAD
                 ? pad_to_size(work, &x, err)
                 : bring_to_size(work, work->height, work->width, &x, err);
    if (ok)
        *out = x;
    else
        mem_free(x.at);
    return ok;
}

bool image_work_load(const ImageWork *work, const char *path, float **to, int64_t *height,
                     int64_t *width, Err *err) {
    Floats x = {0};
    if (!read_file(work, path, &x, err)) return false;
    *to = x.at, *height = x.height, *width = x.width;
    return true;
}

/* ---- colours ---- */

static void find_range(const float *x, int64_t n, float *low, float *high) {
    *low = *high = x[0];
    for (int64_t i = 1; i < n; i++) {
        *low = fminf(*low, x[i]);
        *high = fmaxf(*high, x[i]);
    }
}

/* Colours moved within the picture's own range. */
static void shift_colours(float *x, int64_t n, float shift) {
    float low, high;
    find_range(x, n, &low, &high);
    for (int64_t i = 0; i < n; i++) x[i] = fminf(fmaxf(x[i] + shift, low), high);
}

/* Pillow's Brightness, which works on whole numbers from 0 to 255: colours outside are
 * scaled to that range, and back afterwards. */
static void brighten(float *x, int64_t n, float factor) {
    float low, high;
    find_range(x, n, &low, &high);
    bool scaled = low < 0 || high > 255;
    float spread = high > low ? high - low : 1;
    for (int64_t i = 0; i < n; i++) {
        float value = scaled ? (x[i] - low) / spread * 255 : x[i];
        value = floorf(fminf(fmaxf(floorf(value) * factor, 0), 255));
        x[i] = scaled ? value / 255 * (high - low) + low : value;
    }
}

/* ---- a job ---- */

static bool take_row(const ImageWork *work, const ImageJob *job, Floats *out, Err *err) {
    size_t n = (size_t)(work->height * work->width * work->channels);
    if (!floats_new(work->height, work->width, work->channels, out, err)) return false;
    size_t first = (size_t)job->row * n;
    if (work->source_dtype == DTYPE_FLOAT32)
        memcpy(out->at, (const float *)work->source + first, n * sizeof *out->at);
    else
        for (size_t i = 0; i < n; i++)
            out->at[i] = ((const uint8_t *)work->source)[first + i];
    return true;
}

static bool move(const ImageWork *work, const ImageJob *job, Floats *x, float *to,
                 Err *err) {
    Attrs attrs = {.i = {work->bilinear, work->fill}, .f = {work->fill_value}};
    Type image = type_of(x->height, x->width, x->channels);
    Type types[] = {image, {DTYPE_FLOAT64, shape_of(2, (int64_t)1, (int64_t)8)}};
    void *in[] = {x->at, (void *)(uintptr_t)job->transform};
    return run_kernel(OP_affine_transform, &attrs, 2, types, in, &image, to, err);
}

bool image_work_run(const ImageWork *work, const ImageJob *job, float *to, Err *err) {
    Floats x = {0};
    if (!(job->path ? read_file(work, job->path, &x, err) : take_row(work, job, &x, err)))
        return false;
    int64_t n = x.height * x.width * x.channels;
    bool ok = true;
    if (job->moved)
        ok = move(work, job, &x, to, err);
    else
        memcpy(to, x.at, floats_bytes(&x));
    mem_free(x.at);
    if (!ok) return false;
    if (!isnan(job->shift)) shift_colours(to, n, (float)job->shift);
    if (!isnan(job->brightness)) brighten(to, n, (float)job->brightness);
    if (work->rescale != 0)
        for (int64_t i = 0; i < n; i++) to[i] *= (float)work->rescale;
    return true;
}
