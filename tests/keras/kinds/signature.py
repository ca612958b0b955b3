"""Signatures: the names, the order and the defaults of the arguments of everything public in
Keras. What cdl does not have is a line of ABSENT."""

import inspect

import numpy

from kinds.case import Case
from lua_text import AXES, MODULES, Made, shifted

# Arguments that cdl has no use for, or that its base classes read.
LEFT_OUT = {"name", "dtype", "trainable", "activity_regularizer", "data_format", "lora_rank",
            "lora_alpha", "quantization_config", "sparse", "ragged", "tensor", "optional",
            "input_axes", "output_axes", "use_cudnn",
            "gptq_unpacked_column_size"}
# What every optimizer takes.
OF_OPTIMIZERS = {"weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum",
                 "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"}

# Names in Keras that are no names in cdl: bridges to other frameworks, boxes around things in pictures,
# and what only text is for.
# Base classes and what takes no arguments of its own have no signature.
ABSENT = {
    "layers": {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper", "InputSpec", "Wrapper",
               "Layer", "InputLayer", "MaxNumBoundingBoxes"},
    "losses": {"Loss"},
    "metrics": {"Metric"},
    "optimizers": {"Optimizer"},
    "schedules": {"LearningRateSchedule"},
    "initializers": {"Initializer"},
    "regularizers": {"Regularizer"},
    "constraints": {"Constraint"},
    "activations": {"serialize", "deserialize"},
    "callbacks": {"CallbackList", "OrbaxCheckpoint", "Callback", "History",
                  "LambdaCallback", "ProgbarLogger"},
}


def names_of(module):
    """The public classes of a module of Keras (functions, where it has those)."""
    wanted = inspect.isfunction if module == "activations" else inspect.isclass
    return [name for name, thing in sorted(vars(MODULES[module]).items()) if wanted(thing)
            and not name.startswith("_") and name != "get" and name not in ABSENT.get(module, ())]


class Signature(Case):
    kind = "signature"

    def __init__(self, module, name, **more):
        super().__init__(f"{module}.{name}", Made(module, name), **more)

    def description(self):
        left_out = LEFT_OUT | (OF_OPTIMIZERS if self.made.module == "optimizers" else set())
        thing = getattr(MODULES[self.made.module], self.made.name)
        parameters = [one for one in inspect.signature(thing).parameters.values()
                      if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL) and one.name not in left_out]
        # None and no default at all come to the same: the argument may, or may not, be left out.
        defaults = {one.name: shifted(one.default) if one.name in AXES else one.default
                    for one in parameters if one.default not in (None, inspect.Parameter.empty)}
        return {"kind": self.kind, "make": f"{self.made.module}.{self.made.name}",
                "names": [one.name for one in parameters], "defaults": defaults,
                "left_out": sorted(left_out)}

    def prepare(self, random):
        return {}, {"same": numpy.array(True)}


def signatures():
    return [Signature(module, name) for module in MODULES for name in names_of(module)]
