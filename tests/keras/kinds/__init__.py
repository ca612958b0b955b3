"""The kinds of cases that the table in cases.py is made of."""

from kinds import data
from kinds.activation import activation
from kinds.fit import fit
from kinds.layer import assigning_layer, attention, layer, random_layer
from kinds.loss import loss
from kinds.metric import accumulator, metric
from kinds.optimizer import optimizer
from kinds.small import constraint, initializer, regularizer, schedule

__all__ = ["accumulator", "activation", "assigning_layer", "attention", "constraint", "data", "fit", "initializer",
           "layer", "loss", "metric", "optimizer", "random_layer", "regularizer", "schedule"]
