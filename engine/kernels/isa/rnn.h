/* Recurrent layers over whole sequences: simple, GRU (reset after) and LSTM.
 *
 * x (B, T, F), kernel (F, G U), recurrent (U, G U), y (B, T, U), with G = 1, 3, 4 gates in
 * Keras's order: z r h and i f c o. States h and c are (B, U). A step that the mask (B, T)
 * leaves out keeps the states and repeats the output. In reverse the last step of x comes
 * first; y stays in the order of processing.
 *
 * The batch falls into slices, which the shapes alone decide. A slice goes through the
 * whole sequence on its own: no thread waits for another between steps. What it computes
 * before the activations lies in rows of WIDE U, saved gates in rows of SAVED U:
 *
 *             before the activations   saved            gradients before the activations
 *     simple  h                        -                h
 *     GRU     z r xh qh                z r h q          h z r q
 *     LSTM    i f c o                  i f c o, cell    i f c o
 *
 * Where states are dropped, each gate sees x and h through factors of its own, drop_x (G,
 * B, F) and drop_h (G, B, U), the same in every step.
 *
 * The GRU's candidate is tanh(xh + r q), and q = h U_h + b_h is the part of it that
 * comes from the state. Each element is one chain of multiply-adds, first over the
 * features, then over the units (the GRU's candidate: two chains); the gradients of the
 * weights are chains over the steps of a slice, added in the order of slices. */
#ifndef CDL_KERNELS_ISA_RNN_H
#define CDL_KERNELS_ISA_RNN_H
#include "kernels/call.h"

typedef enum RnnKind { RNN_SIMPLE, RNN_GRU, RNN_LSTM } RnnKind;
enum { RNN_LINEAR, RNN_RELU, RNN_TANH, RNN_SIGMOID }; /* activations of the simple one */

typedef struct Rnn {
    RnnKind kind;
    int activation;
    bool reverse;
    int64_t batch, steps, features, units;
    const void *x, *kernel, *recurrent, *bias, *h0, *c0, *mask; /* c0, mask may be NULL */
    const void *drop_x, *drop_h;
    bool drops; /* room is planned before there is memory */
    /* Forward: results. Backward: y and saved are read. saved may be NULL. */
    void *y, *h, *c, *saved;
    /* Backward: what is given (each may be NULL), and the results (dc0 may be NULL). */
    const void *dy, *dh, *dc;
    void *dx, *dkernel, *drecurrent, *dbias, *dh0, *dc0;
    bool want_dx;
    DType dtype;
    void *scratch;
} Rnn;

/* The phases of both kernels, for one dtype. */
typedef struct RnnRoutines {
    size_t (*forward_scratch)(const Rnn *r);
    void (*forward_pack)(const Rnn *r);
    void (*forward)(const Rnn *r, int64_t slice);
    size_t (*backward_scratch)(const Rnn *r);
    void (*backward_pack)(const Rnn *r);
    void (*backward)(const Rnn *r, int64_t slice);
    void (*sum)(const Rnn *r, int64_t part);
} RnnRoutines;

#define rnn_float  KERNEL_JOIN(rnn_, float, ISA)
#define rnn_double KERNEL_JOIN(rnn_, double, ISA)
extern const RnnRoutines rnn_float, rnn_double;

static inline int64_t rnn_gates(const Rnn *r) {
    return r->kind == RNN_LSTM ? 4 : r->kind == RNN_GRU ? 3 : 1;
}
static inline int64_t rnn_wide(const Rnn *r) { return r->kind == RNN_SIMPLE ? 1 : 4; }
static inline int64_t rnn_saved(const Rnn *r) {
    return r->kind == RNN_LSTM ? 5 : r->kind == RNN_GRU ? 4 : 0;
}

/* Copies of x and h that the products read: one, or one for each gate. */
static inline int64_t rnn_copies(const Rnn *r) { return r->drops ? rnn_gates(r) : 1; }

/* Elements of the gradients of kernel, recurrent kernel and bias, as the slices sum them.
 * The GRU's two rows of biases share the sums of z and r. */
static inline int64_t rnn_weights(const Rnn *r) {
    return ((r->features + r->units) * rnn_gates(r) + rnn_wide(r)) * r->units;
}

/* Slices: of at most MOST_ROWS rows, fewer where that makes eight of them. Weights so
 * large that a copy of their gradients for each slice would fill memory make few. */
enum { RNN_SLICES = 8, RNN_LEAST_ROWS = 4, RNN_MOST_ROWS = 32 };
#define RNN_SUM_BYTES (32 << 20)

static inline int64_t rnn_slices(const Rnn *r) {
    int64_t bytes = rnn_weights(r) * (int64_t)dtype_size(r->dtype);
    int64_t most = RNN_SUM_BYTES / (bytes + 1);
    int64_t slices = chunks(r->batch, RNN_LEAST_ROWS);
    if (slices > RNN_SLICES) slices = RNN_SLICES;
    if (slices < chunks(r->batch, RNN_MOST_ROWS))
        slices = chunks(r->batch, RNN_MOST_ROWS);
    if (slices > most) slices = most;
    return slices < 1 ? 1 : slices;
}

#endif
