/* Recurrent layers in the graph: the operands of their rows by name. */
#ifndef CDL_GRAPH_OPS_RNN_H
#define CDL_GRAPH_OPS_RNN_H
#include "graph/ops/rules.h"

enum { RNN_SIMPLE, RNN_GRU, RNN_LSTM };               /* attrs.i[RNN_KIND] */
enum { RNN_LINEAR, RNN_RELU, RNN_TANH, RNN_SIGMOID }; /* attrs.i[RNN_ACTIVATION] */
enum { RNN_KIND, RNN_REVERSE, RNN_ACTIVATION, RNN_GIVEN, RNN_WANT_DX, RNN_DROPS };
enum { RNN_DY = 1, RNN_DH = 2, RNN_DC = 4 }; /* attrs.i[RNN_GIVEN] */
enum { RNN_X, RNN_KERNEL, RNN_RECURRENT, RNN_BIAS, RNN_H0, RNN_C0 };

/* The layer computed step by step with plain rows: outputs y, last h, last c (NODE_NONE
 * but for an LSTM). in: as the row rnn has it; options: the mask or NODE_NONE, and where
 * states are dropped the factors of x and of h. */
void rnn_unroll(Graph *g, const Attrs *attrs, const NodeId in[], const NodeId options[3],
                NodeId out[3]);

static inline int rnn_gates(const Attrs *attrs) {
    return attrs->i[RNN_KIND] == RNN_LSTM ? 4 : attrs->i[RNN_KIND] == RNN_GRU ? 3 : 1;
}

/* x, kernel, recurrent, bias and the states. */
static inline int rnn_inputs(const Attrs *attrs) {
    return attrs->i[RNN_KIND] == RNN_LSTM ? 6 : 5;
}

/* The operands behind the states, of which there are `count`: a mask comes first if their
 * number is odd, since factors come in pairs. */
static inline bool rnn_masked(int count) { return count % 2 != 0; }

#endif
