/* A source of batches: what the training loop draws from. One pass over it is a
 * sequence of batches; a batch says where each of its parts (the leaves of x, then y,
 * then the sample weights) lies in memory, so that a plan reads it in place or gathers
 * its rows.
 *
 *     Batch batch;
 *     if (!source_start(source, pass, &err)) ...
 *     while (source_next(source, &batch, &err) == SOURCE_BATCH) ... batch.rows ...
 *     source_free(source);
 *
 * A new kind of source is a struct that begins with a Source, and four functions. */
#ifndef CDL_DATA_SOURCE_H
#define CDL_DATA_SOURCE_H
#include "tensor/tensor.h"

/* One leaf of a batch: `rows` names the rows of base that make it, in order; NULL
 * means that the batch is contiguous memory that begins at base. Valid until the next
 * source_next. */
typedef struct BatchPart {
    const void *base;
    const int64_t *rows;
    DType dtype;
    Shape shape; /* of the batch, its rows first */
} BatchPart;

typedef struct Batch {
    int64_t rows;
    int parts;
    const BatchPart *part;
} Batch;

typedef enum SourceState { SOURCE_BATCH, SOURCE_END, SOURCE_ERROR } SourceState;

typedef struct Source Source;

typedef struct SourceKind {
    bool (*start)(Source *source, int64_t pass, Err *err);
    SourceState (*next)(Source *source, Batch *batch, Err *err);
    bool (*ended)(const Source *source);
    void (*free)(Source *source);
} SourceKind;

struct Source {
    const SourceKind *kind;
    int64_t batches; /* in a pass; -1: unknown before its end */
    int64_t rows;    /* in a pass; -1: unknown before its end */
};

/* Begins a pass. Its number (from 1) selects the order of shuffled rows. A source that
 * cannot begin anew (a plain generator) goes on where it is. */
static inline bool source_start(Source *source, int64_t pass, Err *err) {
    return source->kind->start(source, pass, err);
}

static inline SourceState source_next(Source *source, Batch *batch, Err *err) {
    return source->kind->next(source, batch, err);
}

/* True when it is known that the running pass has no further batch, and before the
 * first. */
static inline bool source_ended(const Source *source) {
    return source->kind->ended(source);
}

static inline void source_free(Source *source) {
    if (source) source->kind->free(source);
}

#endif
