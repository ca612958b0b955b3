"""Models that cdl has written as ONNX files, in onnxruntime."""

import numpy
import onnx
import onnxruntime


def run_exported(results, name):
    """The results, with that of the exported model, under a name, among them: of the whole batch,
    which must be that of its first row alone, too."""
    results = dict(results)
    model = onnx.load_from_string(results.pop("model").tobytes())
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    given = {entry.name: results.pop(f"model input {i}") for i, entry in enumerate(session.get_inputs(), 1)}
    whole, = session.run(None, given)
    first, = session.run(None, {name: array[:1] for name, array in given.items()})
    assert numpy.allclose(first, whole[:1], 1e-4, 1e-5), "one row alone gives other numbers"
    return results | {f"{name}, onnx": whole}
