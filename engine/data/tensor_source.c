#include "data/tensor_source.h"
#include "base/mem.h"
#include "data/shuffle.h"

typedef struct TensorSource {
    Source source;
    TensorSourceOptions options;
    int64_t at; /* first row of the next batch */
    int64_t *rows;
    int64_t n_rows; /* source.rows and those that are dropped */
    int parts;
    Tensor *leaf;     /* contiguous */
    size_t *row_size; /* bytes */
    BatchPart *part;
} TensorSource;

static bool fill_order(TensorSource *self, int64_t pass, Err *err) {
    const RowOrder *order = &self->options.order;
    int64_t rows = self->leaf[0].shape.dim[0];
    if (!order->fill(order->context, pass, order->n, self->rows, err)) return false;
    for (int64_t i = 0; i < order->n; i++)
        if (self->rows[i] < 0 || self->rows[i] >= rows)
            return err_set(err, "row %lld of the pass is number %lld; there are %lld",
                           (long long)i + 1, (long long)self->rows[i], (long long)rows);
    return true;
}

static bool start(Source *source, int64_t pass, Err *err) {
    TensorSource *self = (TensorSource *)source;
    self->at = source->rows; /* ended, should it fail */
    if (self->options.order.fill && !fill_order(self, pass, err)) return false;
    ShuffleKey key = {self->options.seed, self->options.fit, pass};
    if (self->options.shuffle == SHUFFLE_ROWS)
        shuffle_rows(key, self->n_rows, self->rows);
    if (self->options.shuffle == SHUFFLE_BATCH)
        shuffle_within(key, self->n_rows, self->options.batch, self->rows);
    self->at = 0;
    return true;
}

static SourceState next(Source *source, Batch *batch, Err *err) {
    TensorSource *self = (TensorSource *)source;
    int64_t left = source->rows - self->at;
    if (left <= 0) return SOURCE_END;
    int64_t rows = left < self->options.batch ? left : self->options.batch;
    for (int i = 0; i < self->parts; i++) {
        BatchPart *part = &self->part[i];
        part->shape.dim[0] = rows;
        if (self->rows)
            part->rows = self->rows + self->at;
        else
            part->base = self->leaf[i].data + (size_t)self->at * self->row_size[i];
    }
    self->at += rows;
    *batch = (Batch){rows, self->parts, self->part};
    return SOURCE_BATCH;
}

static bool ended(const Source *source) {
    return ((const TensorSource *)source)->at >= source->rows;
}

static void release(Source *source) {
    TensorSource *self = (TensorSource *)source;
    for (int i = 0; self->leaf && i < self->parts; i++) tensor_release(&self->leaf[i]);
    mem_free(self->leaf);
    mem_free(self->row_size);
    mem_free(self->part);
    mem_free(self->rows);
    mem_free(self);
}

static const SourceKind tensor_source = {start, next, ended, release};

static bool check_leaves(int n, const Tensor leaf[], Err *err) {
    char text[SHAPE_TEXT];
    for (int i = 0; i < n; i++) {
        if (leaf[i].shape.ndim < 1)
            return err_set(
                err, "array %d is a scalar; its first axis must be the samples", i + 1);
        if (leaf[i].shape.dim[0] < 1)
            return err_set(err, "array %d of shape %s has no samples", i + 1,
                           shape_text(&leaf[i].shape, text));
        if (leaf[i].shape.dim[0] != leaf[0].shape.dim[0])
            return err_set(err, "array %d has %lld samples, array 1 has %lld", i + 1,
                           (long long)leaf[i].shape.dim[0],
                           (long long)leaf[0].shape.dim[0]);
    }
    return true;
}

/* Takes the leaves; on failure self holds what was made, for release. */
static bool fill(TensorSource *self, const Tensor leaf[], Err *err) {
    size_t n = (size_t)self->parts;
    self->leaf = mem_zalloc(n * sizeof *self->leaf);
    self->row_size = mem_zalloc(n * sizeof *self->row_size);
    self->part = mem_zalloc(n * sizeof *self->part);
    bool ordered = self->options.shuffle != SHUFFLE_NONE || self->options.order.fill;
    if (ordered) self->rows = mem_alloc((size_t)self->n_rows * sizeof *self->rows);
    if (!self->leaf || !self->row_size || !self->part || (ordered && !self->rows))
        return err_set(err, "out of memory for a loader of %lld rows",
                       (long long)self->n_rows);
    for (int i = 0; i < self->parts; i++) {
        if (!tensor_contiguous(&leaf[i], &self->leaf[i], err)) return false;
        const Tensor *own = &self->leaf[i];
        self->row_size[i] = tensor_bytes(own) / (size_t)own->shape.dim[0];
        self->part[i] = (BatchPart){own->data, NULL, own->dtype, own->shape};
    }
    return true;
}

Source *tensor_source_new(int n, const Tensor leaf[], TensorSourceOptions options,
                          Err *err) {
    if (!check_leaves(n, leaf, err)) return NULL;
    if (options.order.fill) options.shuffle = SHUFFLE_NONE;
    int64_t all = options.order.fill ? options.order.n : leaf[0].shape.dim[0];
    if (options.batch < 1) options.batch = 1;
    int64_t rows = options.drop_remainder ? all - all % options.batch : all;
    if (rows < 1) {
        err_set(err, "%lld rows make no batch of %lld", (long long)all,
                (long long)options.batch);
        return NULL;
    }
    if (options.batch > rows) options.batch = rows;
    TensorSource *self = mem_zalloc(sizeof *self);
    if (!self) {
        err_set(err, "out of memory for a loader");
        return NULL;
    }
    self->source.kind = &tensor_source;
    self->source.rows = rows;
    self->n_rows = all;
    self->source.batches = (rows + options.batch - 1) / options.batch;
    self->options = options;
    self->parts = n;
    self->at = rows;
    if (fill(self, leaf, err)) return &self->source;
    release(&self->source);
    return NULL;
}
