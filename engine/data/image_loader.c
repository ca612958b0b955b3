#include "data/image_loader.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "graph/op.h"

enum { THREADS_MOST = 16 };

/* A picture of a batch: the thread that makes it sets done, failed and why. */
typedef struct Item {
    ImageJob job;
    char *path, *failure;
    bool done, failed;
} Item;

typedef struct Pending {
    struct Pending *later; /* the batch that was asked for after this one */
    Tensor tensor;
    int64_t n, started, left;
    Item item[];
} Pending;

struct ImageLoader {
    ImageWork work;
    Tensor images;
    size_t picture; /* floats */
    pthread_mutex_t lock;
    pthread_cond_t asked, ready;
    bool stop;
    Pending *first, *last, *taken;
    int wanted, threads;
    pthread_t thread[THREADS_MOST];
    pid_t process; /* whose threads these are */
};

/* ---- batches ---- */

static void pending_free(Pending *batch) {
    if (!batch) return;
    for (int64_t i = 0; i < batch->n; i++) {
        mem_free(batch->item[i].path);
        mem_free(batch->item[i].failure);
    }
    tensor_release(&batch->tensor);
    mem_free(batch);
}

static Pending *pending_new(const ImageLoader *loader, int64_t n, const ImageJob jobs[],
                            Err *err) {
    const ImageWork *work = &loader->work;
    Shape shape = shape_of(4, n, work->height, work->width, (int64_t)work->channels);
    Pending *batch = mem_zalloc(sizeof *batch + (size_t)n * sizeof *batch->item);
    if (!batch)
        return err_set(err, "not enough memory for %lld pictures", (long long)n), NULL;
    batch->n = batch->left = n;
    for (int64_t i = 0; i < n; i++) {
        Item *item = &batch->item[i];
        item->job = jobs[i];
        if (!jobs[i].path) continue;
        item->job.path = item->path = mem_strdup(jobs[i].path);
        if (!item->path) err_set(err, "not enough memory for the name of a picture");
    }
    if ((err && err->set) || !tensor_zero(&batch->tensor, DTYPE_FLOAT32, shape, err))
        return pending_free(batch), NULL;
    return batch;
}

/* ---- threads ---- */

static void make_picture(const ImageLoader *loader, const Pending *batch, int64_t i,
                         Item *item) {
    Err err = {0};
    float *to = (float *)(void *)batch->tensor.data + (size_t)i * loader->picture;
    if (image_work_run(&loader->work, &item->job, to, &err)) return;
    item->failed = true;
    item->failure = mem_strdup(err.text);
}

/* The next picture that nobody works on, under the lock; NULL: there is none. */
static Item *next_item(ImageLoader *loader, Pending **from, int64_t *index) {
    for (Pending *batch = loader->first; batch; batch = batch->later)
        while (batch->started < batch->n) {
            Item *item = &batch->item[batch->started++];
            if (item->done) continue;
            *from = batch, *index = batch->started - 1;
            return item;
        }
    return NULL;
}

static void *run_thread(void *argument) {
    ImageLoader *loader = argument;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        Pending *batch;
        int64_t index;
        Item *item = next_item(loader, &batch, &index);
        if (!item) {
            pthread_cond_wait(&loader->asked, &loader->lock);
            continue;
        }
        pthread_mutex_unlock(&loader->lock);
        make_picture(loader, batch, index, item);
        pthread_mutex_lock(&loader->lock);
        item->done = true;
        if (--batch->left == 0) pthread_cond_signal(&loader->ready);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Signals are for the main thread. */
static bool start_threads(ImageLoader *loader, Err *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    loader->threads = 0;
    while (loader->threads < loader->wanted &&
           pthread_create(&loader->thread[loader->threads], NULL, run_thread, loader) ==
               0)
        loader->threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return loader->threads > 0 ||
           err_set(err, "cannot start a thread that reads pictures");
}

/* In a forked process nobody works any more: what was not done is begun anew. */
static bool revive(ImageLoader *loader, Err *err) {
    if (loader->process == getpid()) return true;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->asked, NULL);
    pthread_cond_init(&loader->ready, NULL);
    for (Pending *batch = loader->first; batch; batch = batch->later) {
        batch->started = 0;
        batch->left = 0;
        for (int64_t i = 0; i < batch->n; i++) batch->left += !batch->item[i].done;
    }
    loader->process = getpid();
    return start_threads(loader, err);
}

/* ---- for the main thread ---- */

ImageLoader *image_loader_new(const ImageWork *work, const Tensor *images, int threads,
                              Err *err) {
    ImageLoader *loader = mem_zalloc(sizeof *loader);
    if (!loader) return err_set(err, "not enough memory to read pictures"), NULL;
    loader->work = *work;
    loader->picture = (size_t)(work->height * work->width * work->channels);
    if (images) {
        loader->images = tensor_retain(images);
        loader->work.source = images->data;
        loader->work.source_dtype = images->dtype;
    }
    loader->wanted = threads < 1 ? 1 : threads > THREADS_MOST ? THREADS_MOST : threads;
    op_kernel(OP_resize); /* the instruction set is chosen before there are threads */
    if (revive(loader, err)) return loader;
    image_loader_free(loader);
    return NULL;
}

void image_loader_free(ImageLoader *loader) {
    if (!loader) return;
    if (loader->process == getpid()) {
        pthread_mutex_lock(&loader->lock);
        loader->stop = true;
        pthread_cond_broadcast(&loader->asked);
        pthread_mutex_unlock(&loader->lock);
        for (int i = 0; i < loader->threads; i++) pthread_join(loader->thread[i], NULL);
        pthread_mutex_destroy(&loader->lock);
        pthread_cond_destroy(&loader->asked);
        pthread_cond_destroy(&loader->ready);
    }
    for (Pending *batch = loader->first, *later; batch; batch = later) {
        later = batch->later;
        pending_free(batch);
    }
    pending_free(loader->taken);
    tensor_release(&loader->images);
    mem_free(loader);
}

static bool check_rows(const ImageLoader *loader, int64_t n, const ImageJob jobs[],
                       Err *err) {
    int64_t rows = loader->images.buffer ? loader->images.shape.dim[0] : 0;
    for (int64_t i = 0; i < n; i++)
        if (!jobs[i].path && (jobs[i].row < 0 || jobs[i].row >= rows))
            return err_set(err, "picture %lld was asked for; there are %lld",
                           (long long)jobs[i].row, (long long)rows);
    return true;
}

bool image_loader_ask(ImageLoader *loader, int64_t n, const ImageJob jobs[], Err *err) {
    if (!check_rows(loader, n, jobs, err)) return false;
    if (!revive(loader, err)) return false;
    Pending *batch = pending_new(loader, n, jobs, err);
    if (!batch) return false;
    pthread_mutex_lock(&loader->lock);
    if (loader->first)
        loader->last->later = batch;
    else
        loader->first = batch;
    loader->last = batch;
    pthread_cond_broadcast(&loader->asked);
    pthread_mutex_unlock(&loader->lock);
    return true;
}

bool image_loader_take(ImageLoader *loader, Tensor *out, Err *err) {
    if (!revive(loader, err)) return false;
    Pending *batch = loader->first;
    if (!batch) return err_set(err, "no pictures were asked for");
    pthread_mutex_lock(&loader->lock);
    while (batch->left > 0) pthread_cond_wait(&loader->ready, &loader->lock);
    loader->first = batch->later;
    pthread_mutex_unlock(&loader->lock);
    pending_free(loader->taken);
    loader->taken = batch;
    *out = batch->tensor;
    batch->tensor = (Tensor){0};
    return true;
}

const char *image_loader_failure(const ImageLoader *loader, int64_t i) {
    const Item *item = loader->taken ? &loader->taken->item[i] : NULL;
    if (!item || !item->failed) return NULL;
    return item->failure ? item->failure : "not enough memory to read a picture";
}
