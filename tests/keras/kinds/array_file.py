"""Files of arrays: cdl reads what NumPy and the safetensors library wrote, and they read what cdl
wrote. The files travel as arrays of bytes."""

import io
import struct

import ml_dtypes
import numpy
import safetensors.numpy

from kinds.case import Case

# What an element type becomes in cdl.
BECOMES = {"bool": "bool", "uint8": "uint8", "int8": "int32", "int16": "int32", "uint16": "int32",
           "int32": "int32", "uint32": "int64", "int64": "int64", "uint64": "int64",
           "float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}
DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]  # as compare.lua numbers them


def values(random, dtype, shape):
    """Numbers of the type, its largest and smallest among them."""
    dtype, spelt = numpy.dtype(dtype).newbyteorder("="), dtype
    if dtype == bool:
        return random.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        limits = numpy.iinfo(dtype)
        array = random.integers(limits.min, min(limits.max, 2**63 - 1), shape, dtype, endpoint=True)
    else:
        limits = ml_dtypes.finfo(dtype)
        array = (random.standard_normal(shape) * 8).astype(dtype)
    if array.size >= 2:
        array.flat[0], array.flat[-1] = limits.min, min(limits.max, 2**63 - 1) if dtype.kind == "u" else limits.max
    return array.astype(spelt)


class ArrayFile(Case):
    """One file that holds the named arrays."""

    kind = "array_file"
    relative = absolute = 0

    def __init__(self, name, format, specs):
        """specs: (dtype, shape, order of the axes) by name."""
        super().__init__(f"{format}: {name}")
        self.format, self.specs = format, specs

    def description(self):
        return {"kind": self.kind, "make": "nil", "format": self.format}

    def write(self, arrays):
        file = io.BytesIO()
        if self.format == "npy":
            numpy.save(file, *arrays.values())
        elif self.format == "npz":
            numpy.savez(file, **arrays)
        else:
            return safetensors.numpy.save(arrays, metadata={"format": "np"})
        return file.getvalue()

    def parse(self, data):
        if self.format == "npy":
            return {"arr_0": numpy.load(io.BytesIO(data))}
        if self.format == "npz":
            return dict(numpy.load(io.BytesIO(data)))
        # The library copes with data at any byte; others want each array at a multiple of its
        # element's size.
        length, = struct.unpack("<Q", data[:8])
        assert length % 8 == 0, "the arrays do not begin at a multiple of 8"
        return safetensors.numpy.load(data)

    def prepare(self, random):
        arrays = {name: numpy.require(values(random, dtype, shape), requirements=order)
                  for name, (dtype, shape, order) in self.specs.items()}
        expected = {}
        for name, array in arrays.items():
            becomes = BECOMES[array.dtype.newbyteorder("=").name]
            dtype = DTYPES.index(becomes)
            array = array.astype(becomes)
            expected |= {f"{name} dtype": dtype, name: array, f"{name}, written": array,
                         f"{name} dtype, written": dtype}
        data = numpy.frombuffer(self.write(arrays), "uint8")
        return {"file": data}, expected

    def read(self, results):
        results = dict(results)
        for name, array in self.parse(results.pop("file").tobytes()).items():
            results[f"{name}, written"] = array
            results[f"{name} dtype, written"] = numpy.array(DTYPES.index(array.dtype.name))
        return results


def _files():
    numbers = [name for name in BECOMES if name != "bfloat16"]
    shapes = [(), (0,), (1,), (5,), (3, 4), (2, 0, 3), (2, 3, 4), (1, 2, 1, 3)]
    for at, dtype in enumerate(numbers):
        for order in "<>":
            spelt = numpy.dtype(dtype).newbyteorder(order)
            for axes in "CF":
                shape = shapes[(3 + at) % len(shapes)] if axes == "C" else (2, 3, 4)
                yield ArrayFile(f"{order}{dtype} {shape} {axes}", "npy", {"arr_0": (spelt, shape, axes)})
    for shape in shapes:
        yield ArrayFile(f"{shape}", "npy", {"arr_0": ("float32", shape, "C")})
    many = {f"layer_{at}/{dtype}": (dtype, shapes[at % len(shapes)], "C") for at, dtype in enumerate(numbers)}
    yield ArrayFile("all types", "npz", many)
    yield ArrayFile("all types", "safetensors", many)
    yield ArrayFile("bfloat16", "safetensors", {"x": ("bfloat16", (7,), "C"), "half": ("float16", (3, 3), "C")})
    for shape in shapes:
        yield ArrayFile(f"{shape}", "safetensors", {"x": ("float32", shape, "C"), "é/y": ("int64", shape, "C")})


FILES = list(_files())
