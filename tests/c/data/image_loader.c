#include "data/image_loader.h"
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/atomic.h"
#include "io/png.h"
#include "test.h"

enum { ROWS = 6, SIDE = 5 };

static const ImageJob still = {.shift = NAN, .brightness = NAN};

/* Picture i is i everywhere. */
static Tensor numbered(void) {
    Tensor x = {0};
    if (!tensor_new(&x, DTYPE_UINT8, shape_of(4, 6L, 5L, 5L, 1L), NULL)) exit(2);
    for (int i = 0; i < ROWS * SIDE * SIDE; i++)
        ((uint8_t *)x.data)[i] = (uint8_t)(i / (SIDE * SIDE));
    return x;
}

static ImageLoader *loader_of(const ImageWork *work, const Tensor *images, int threads) {
    Err err = {0};
    ImageLoader *loader = image_loader_new(work, images, threads, &err);
    CHECK(loader && !err.set);
    return loader;
}

static const ImageWork plain = {
    .height = SIDE, .width = SIDE, .channels = 1, .rescale = 0.5};

static void ask_row(ImageLoader *loader, int64_t first) {
    ImageJob jobs[2] = {still, still};
    Err err = {0};
    jobs[0].row = first, jobs[1].row = first + 1;
    CHECK(image_loader_ask(loader, 2, jobs, &err));
}

static void check_row(ImageLoader *loader, double first) {
    Err err = {0};
    Tensor batch = {0};
    CHECK(image_loader_take(loader, &batch, &err));
    CHECK(batch.dtype == DTYPE_FLOAT32 && batch.shape.ndim == 4 &&
          batch.shape.dim[0] == 2);
    for (int i = 0; batch.buffer && i < 2 * SIDE * SIDE; i++) {
        double want = 0.5 * (first + (i >= SIDE * SIDE));
        CHECK(((float *)batch.data)[i] == want);
    }
    CHECK(!image_loader_failure(loader, 0) && !image_loader_failure(loader, 1));
    tensor_release(&batch);
}

static void batches_come_in_the_order_they_were_asked_for(void) {
    Tensor images = numbered();
    for (int threads = 1; threads <= 4; threads++) {
        ImageLoader *loader = loader_of(&plain, &images, threads);
        for (int round = 0; round < 20; round++) {
            for (int64_t first = 0; first < ROWS; first += 2) ask_row(loader, first);
            for (int64_t first = 0; first < ROWS; first += 2)
                check_row(loader, (double)first);
        }
        ask_row(loader, 0); /* is never taken */
        image_loader_free(loader);
    }
    tensor_release(&images);
    image_loader_free(NULL);
}

static void nothing_asked_for_is_an_error(void) {
    Tensor images = numbered(), batch = {0};
    Err err = {0};
    ImageLoader *loader = loader_of(&plain, &images, 1);
    CHECK(!image_loader_take(loader, &batch, &err) && !batch.buffer);
    CHECK_TEXT(err.text, "no pictures were asked for");
    ImageJob job = still;
    job.row = ROWS;
    err = (Err){0};
    CHECK(!image_loader_ask(loader, 1, &job, &err));
    CHECK_TEXT(err.text, "picture 6 was asked for; there are 6");
    image_loader_free(loader);
    tensor_release(&images);
}

static void what_cannot_be_read_is_told(void) {
    char folder[] = "/tmp/cdl-images-XXXXXX", path[64], bad[64];
    Err err = {0};
    Tensor batch = {0};
    uint8_t pixels[4] = {10, 20, 30, 40}, *bytes = NULL;
    Image image = {2, 2, 1, pixels};
    size_t size = 0;
    if (!mkdtemp(folder)) exit(2);
    snprintf(path, sizeof path, "%s/x.png", folder);
    snprintf(bad, sizeof bad, "%s/bad.png", folder);
    CHECK(png_encode(&image, &bytes, &size, &err) &&
          atomic_write(path, bytes, size, &err));
    CHECK(atomic_write(bad, "junk", 4, &err));
    mem_free(bytes);
    ImageWork work = {.height = 2, .width = 4, .channels = 1, .resize = IMAGE_NEAREST};
    ImageLoader *loader = loader_of(&work, NULL, 2);
    ImageJob jobs[] = {still, still};
    jobs[0].path = bad, jobs[1].path = path;
    CHECK(image_loader_ask(loader, 2, jobs, &err));
    memset(bad, 'x', 4); /* paths were copied */
    CHECK(image_loader_take(loader, &batch, &err));
    CHECK_TEXT(image_loader_failure(loader, 0),
               "/bad.png: neither a PNG nor a JPEG file");
    CHECK(!image_loader_failure(loader, 1));
    const float want[16] = {0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 20, 20, 30, 30, 40, 40};
    CHECK(batch.buffer && memcmp(batch.data, want, sizeof want) == 0);
    tensor_release(&batch);
    image_loader_free(loader);
    unlink(path);
    snprintf(bad, sizeof bad, "%s/bad.png", folder);
    unlink(bad);
    rmdir(folder);
}

static void moved_and_coloured(void) {
    Tensor images = numbered(), batch = {0};
    Err err = {0};
    for (int i = 0; i < SIDE * SIDE; i++) ((uint8_t *)images.data)[i] = (uint8_t)i;
    ImageWork work = {.height = SIDE, .width = SIDE, .channels = 1, .fill_value = 100};
    ImageLoader *loader = loader_of(&work, &images, 1);
    ImageJob jobs[] = {still, still, still};
    jobs[0].moved = true; /* a column to the left */
    memcpy(jobs[0].transform, (double[]){1, 0, 1, 0, 1, 0, 0, 0},
           sizeof jobs[0].transform);
    jobs[1].shift = 20;
    jobs[2].brightness = 1.5;
    CHECK(image_loader_ask(loader, 3, jobs, &err) &&
          image_loader_take(loader, &batch, &err));
    const float *x = (const float *)(const void *)batch.data;
    for (int i = 0; batch.buffer && i < SIDE * SIDE; i++) {
        CHECK(x[i] == (i % SIDE == SIDE - 1 ? 100 : i + 1));
        CHECK(x[SIDE * SIDE + i] == (i + 20 > 24 ? 24 : i + 20));
        CHECK(x[2 * SIDE * SIDE + i] == floor(i * 1.5));
    }
    tensor_release(&batch);
    image_loader_free(loader);
    tensor_release(&images);
}

/* A forked process has no threads of its parent, and finishes what they had begun.
 * (ThreadSanitizer does not allow threads that take the places of those.) */
static void works_on_in_a_forked_process(void) {
    Tensor images = numbered();
    ImageLoader *loader = loader_of(&plain, &images, 2);
    for (int64_t first = 0; first < ROWS; first += 2) ask_row(loader, first);
    pid_t child = fork();
#ifdef __SANITIZE_THREAD__
    if (child == 0) _exit(0);
#endif
    if (child == 0) {
        int before = test_failures;
        for (int64_t first = 0; first < ROWS; first += 2)
            check_row(loader, (double)first);
        ask_row(loader, 2);
        check_row(loader, 2);
        image_loader_free(loader);
        _exit(test_failures != before);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (int64_t first = 0; first < ROWS; first += 2) check_row(loader, (double)first);
    image_loader_free(loader);
    tensor_release(&images);
}

static void memory_that_runs_out_is_an_error(void) {
    Tensor images = numbered();
    size_t alive = mem_bytes();
    for (int64_t n = 1; n < 4; n++) {
        Err err = {0};
        mem_fail_at(n);
        ImageLoader *loader = image_loader_new(&plain, &images, 1, &err);
        if (loader) {
            ImageJob job = still;
            bool ok = image_loader_ask(loader, 1, &job, &err);
            CHECK(ok == !err.set);
        } else {
            CHECK(err.set);
        }
        mem_fail_at(0);
        image_loader_free(loader);
    }
    tensor_trim();
    CHECK(mem_bytes() <= alive);
    tensor_release(&images);
}

TEST_MAIN(batches_come_in_the_order_they_were_asked_for, nothing_asked_for_is_an_error,
          what_cannot_be_read_is_told, moved_and_coloured, works_on_in_a_forked_process,
          memory_that_runs_out_is_an_error)
