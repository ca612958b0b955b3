"""Python values as Lua text, and objects that both Keras and cdl can make.

The names of classes and arguments are the same in both, so one description is enough:

    Made("layers", "Dense", dict(units=5, activation="tanh"))
        .keras()     keras.layers.Dense(units=5, activation="tanh")
        .lua()       layers.Dense{units = 5, activation = "tanh"}
"""

import keras

MODULES = {
    "layers": keras.layers,
    "losses": keras.losses,
    "metrics": keras.metrics,
    "optimizers": keras.optimizers,
    "schedules": keras.optimizers.schedules,
    "initializers": keras.initializers,
    "regularizers": keras.regularizers,
    "constraints": keras.constraints,
    "activations": keras.activations,
    "callbacks": keras.callbacks,
}

# Arguments that number axes: from 0 in Keras, from 1 in cdl, from the end alike.
AXES = {"axis", "axes", "attention_axes"}


class Made:
    """An object described by its module, its class's name and its arguments."""

    def __init__(self, module, name, arguments=None):
        self.module, self.name, self.arguments = module, name, arguments or {}

    def keras(self, **more):
        """The object in Keras; `more` are further arguments."""
        arguments = {key: in_keras(value) for key, value in self.arguments.items()}
        return getattr(MODULES[self.module], self.name)(**arguments, **more)

    def lua(self, **more):
        """The text that makes the object in cdl; `more` are arguments whose values are Lua text."""
        return f"{self.module}.{self.name}{lua_arguments(self.arguments, **more)}"


def in_keras(value):
    """The value with the objects that are described in it made in Keras."""
    if isinstance(value, Made):
        return value.keras()
    if isinstance(value, dict):
        return {key: in_keras(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [in_keras(entry) for entry in value]
    return value


def shifted(axis):
    if isinstance(axis, (list, tuple)):
        return [shifted(entry) for entry in axis]
    return axis + 1 if isinstance(axis, int) and axis >= 0 else axis


def lua_arguments(arguments, **more):
    """Named arguments as a Lua table, axes counted from 1; `more` are Lua text already."""
    texts = {key: lua(shifted(value) if key in AXES else value)
             for key, value in arguments.items()}
    return _table(texts | more)


def lua(value):
    """A Python value as a Lua expression."""
    if value is None:
        return "cdl.null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, Made):
        return value.lua()
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(lua(entry) for entry in value) + "}"
    if isinstance(value, dict):
        return _table({key: lua(entry) for key, entry in value.items()})
    raise TypeError(f"{value!r} has no Lua form")


def _table(texts):
    return "{" + ", ".join(f"{_key(key)} = {text}" for key, text in texts.items()) + "}"


def _key(key):
    if isinstance(key, int):
        return f"[{key}]"
    return key if key.isidentifier() else f"[{lua(key)}]"
