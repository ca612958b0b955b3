"""Recurrent layers: all outputs in inference and training, and gradients with respect to the
inputs, the initial states and the weights; with masks and initial states where a case has them."""

import jax
import keras
import numpy

from kinds.case import give_random_weights, normal, numbered
from kinds.layer import Layer
from lua_text import Made


class Recurrent(Layer):
    kind = "recurrent"
    exported = "inference 1"

    def __init__(self, name, arguments=None, x=(4, 5, 3), masked=False, states=(), **more):
        """masked: some steps are left out. states: the shapes of initial states."""
        self.masked, self.states = masked, states
        super().__init__(name, arguments, x=x, **more)
        self.name += ", masked" * masked + ", initial states" * bool(states)

    def prepare(self, random):
        x = normal(random, self.shapes[0])
        states = [normal(random, shape) for shape in self.states]
        mask = random.integers(0, 3, x.shape[:2]) > 0 if self.masked else None
        layer = self.made.keras()
        symbol = keras.Input(batch_shape=(None, *x.shape[1:]))
        layer(symbol)
        weights = give_random_weights(layer, random)

        def call(x, states, training):
            options = dict(training=training)
            if mask is not None:
                options["mask"] = mask
            if states:
                options["initial_state"] = states
            y = layer(x, **options)
            return list(y) if isinstance(y, (tuple, list)) else [y]

        inference = jax.tree.leaves(call(x, states, False))
        factors = [normal(random, y.shape) for y in inference]

        def weigh(trainable, x, states):
            state = zip(layer.trainable_weights, trainable)
            with keras.StatelessScope(state_mapping=state):
                ys = jax.tree.leaves(call(x, states, True))
            return sum(keras.ops.sum(y * factor) for y, factor in zip(ys, factors)), ys

        trainable = [variable.value for variable in layer.trainable_weights]
        differentiate = jax.value_and_grad(weigh, argnums=(0, 1, 2), has_aux=True)
        (_, ys), (of_weights, of_x, of_states) = differentiate(trainable, x, states)
        given = (numbered("x", [x]) | numbered("weight", weights) | numbered("factors", factors)
                 | numbered("state", states))
        if mask is not None:
            given["mask"] = mask.astype("uint8")
        expected = numbered("inference ", inference) | numbered("training ", ys)
        expected |= numbered("gradient of weight ", of_weights) | numbered("gradient of state ", of_states)
        return given, {name: numpy.asarray(value) for name, value in (expected | {"gradient of x": of_x}).items()}


def cell(name, units, **more):
    return Made("layers", name, dict(units=units) | more)


SEQUENCES = dict(return_sequences=True)
BOTH = SEQUENCES | dict(return_state=True)


def cases_of(name, states):
    """The cases that every recurrent layer has; states: how many it has."""
    initial = [(4, 6)] * states
    return [
        Recurrent(name, dict(units=6)),
        Recurrent(name, dict(units=17) | BOTH, x=(35, 4, 19)),
        Recurrent(name, dict(units=16) | BOTH, x=(1, 3, 16)),
        Recurrent(name, dict(units=33, go_backwards=True), x=(9, 3, 40)),
        Recurrent(name, dict(units=6) | SEQUENCES, masked=True),
        Recurrent(name, dict(units=6, return_state=True), masked=True),
        Recurrent(name, dict(units=6, go_backwards=True) | BOTH, masked=True),
        Recurrent(name, dict(units=6, zero_output_for_mask=True) | BOTH, masked=True),
        Recurrent(name, dict(units=6, zero_output_for_mask=True, go_backwards=True), masked=True),
        Recurrent(name, dict(units=6) | BOTH, states=initial),
        Recurrent(name, dict(units=6) | BOTH, masked=True, states=initial),
        Recurrent(name, dict(units=6, use_bias=False) | SEQUENCES),
        Recurrent(name, dict(units=6, unroll=True) | SEQUENCES),
        Recurrent(name, dict(units=6, activation="relu") | BOTH),
        Recurrent(name, dict(units=6, activation="softsign") | BOTH, masked=True, states=initial),
        Recurrent(name, dict(units=6, activation="elu", zero_output_for_mask=True, go_backwards=True) | BOTH, masked=True),
        Recurrent("Bidirectional", dict(layer=cell(name, 6))),
        Recurrent("Bidirectional", dict(layer=cell(name, 6, **BOTH), merge_mode="sum"), states=2 * initial),
        Recurrent("Bidirectional", dict(layer=cell(name, 6, **SEQUENCES)), masked=True),
        Recurrent("RNN", dict(cell=cell(name + "Cell", 6)) | BOTH, masked=True),
        Recurrent("RNN", dict(cell=[cell(name + "Cell", 6), cell(name + "Cell", 4)]) | BOTH),
    ]


RECURRENT = [
    *cases_of("SimpleRNN", 1),
    Recurrent("SimpleRNN", dict(units=6, activation="sigmoid") | SEQUENCES),
    Recurrent("SimpleRNN", dict(units=6, activation=None) | SEQUENCES),
    *cases_of("GRU", 1),
    Recurrent("GRU", dict(units=6, reset_after=False) | BOTH),
    Recurrent("GRU", dict(units=6, reset_after=False, use_bias=False), masked=True, states=[(4, 6)]),
    Recurrent("GRU", dict(units=6, recurrent_activation="hard_sigmoid") | SEQUENCES),
    *cases_of("LSTM", 2),
    Recurrent("LSTM", dict(units=6, recurrent_activation="hard_sigmoid") | SEQUENCES),
    Recurrent("LSTM", dict(units=64), x=(40, 12, 70)),
    *(Recurrent("Bidirectional", dict(layer=cell("LSTM", 6, **more), merge_mode=mode))
      for mode in ("concat", "mul", "ave", None) for more in ({}, SEQUENCES)),
    Recurrent("Bidirectional", dict(layer=cell("GRU", 3, **BOTH), merge_mode=None), masked=True),
    Recurrent("Bidirectional", dict(layer=cell("LSTM", 3, **SEQUENCES),
                                    backward_layer=cell("GRU", 3, go_backwards=True, **SEQUENCES))),
    Recurrent("RNN", dict(cell=[cell("LSTMCell", 6), cell("GRUCell", 4), cell("SimpleRNNCell", 5)]) | SEQUENCES,
              masked=True),
    Recurrent("TimeDistributed", dict(layer=cell("LSTM", 4)), x=(3, 4, 5, 2)),
    Recurrent("ConvLSTM1D", dict(filters=3, kernel_size=2), x=(2, 4, 6, 2)),
    Recurrent("ConvLSTM1D", dict(filters=3, kernel_size=3, padding="same", strides=2) | BOTH, x=(2, 3, 7, 2)),
    Recurrent("ConvLSTM2D", dict(filters=3, kernel_size=3), x=(2, 3, 5, 6, 2)),
    Recurrent("ConvLSTM2D", dict(filters=2, kernel_size=(2, 3), padding="same", activation="relu",
                                 unit_forget_bias=False) | SEQUENCES, x=(2, 3, 5, 6, 2)),
    Recurrent("ConvLSTM2D", dict(filters=2, kernel_size=2, use_bias=False, dilation_rate=2,
                                 go_backwards=True) | BOTH, x=(2, 3, 6, 6, 2)),
    Recurrent("ConvLSTM3D", dict(filters=2, kernel_size=2) | SEQUENCES, x=(2, 3, 4, 4, 4, 2)),
]
