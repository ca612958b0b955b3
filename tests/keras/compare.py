"""Compares cdl with Keras: runs the table in cases.py in both and compares every number.

    python compare.py CDL [--only TEXT]

CDL is the program. It needs Keras with JAX, in the versions of requirements.txt; scripts/check
makes an environment with them. Prints a line for each failure and a summary; --only runs the
cases whose kind or name holds the text. One more layer or loss is one more line in cases.py.
"""

import argparse
import collections
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

try:
    import numpy

    with tempfile.TemporaryDirectory() as empty:
        os.environ["KERAS_HOME"] = empty  # no settings of the user, and none written
        from cases import CASES
        from lua_text import lua
except ImportError as error:
    sys.exit(f"{error}\nThe comparison wants the packages of tests/keras/requirements.txt; "
             "scripts/check makes an environment with them when there is a network.")

HERE = pathlib.Path(__file__).parent
SLOWEST_FIRST = ["loss", "fit", "layer", "optimizer", "activation", "metric", "schedule", "constraint",
                 "regularizer", "initializer", "random_layer", "accumulator"]
VARIANTS = (", eager", ", traced")  # the same number, computed in another way


def run_cdl(program, cases, given, folder):
    """Results of cdl: arrays by (number, name), and messages by number, from 1."""
    texts = [lua(case.description()) for _, case in cases]
    (folder / "cases.lua").write_text("return {\n" + ",\n".join(texts) + "\n}\n")
    numpy.savez(folder / "given.npz", **{f"{number}/{name}": array for number, arrays in given.items()
                                         for name, array in arrays.items()})
    subprocess.run([program, HERE / "compare.lua", folder], check=True)
    results = collections.defaultdict(dict)
    with numpy.load(folder / "results.npz") as arrays:
        for key in arrays:
            number, name = key.split("/", 1)
            results[int(number)][name] = arrays[key]
    lines = (folder / "errors.txt").read_text().splitlines()
    errors = dict(line.split("\t", 1) for line in lines if line)
    return results, {int(number): message.replace("\\n", "\n") for number, message in errors.items()}


def difference(case, actual, expected):
    """What is wrong with an array, in words; None when nothing is."""
    if actual.shape != expected.shape:
        return f"shape {actual.shape}, Keras has {expected.shape}"
    a, b = actual.astype("float64"), expected.astype("float64")
    with numpy.errstate(invalid="ignore"):
        wrong = ~(abs(a - b) <= case.absolute + case.relative * abs(b))
        wrong &= ~((a == b) | (numpy.isnan(a) & numpy.isnan(b)))
    if not wrong.any():
        return None
    place = numpy.unravel_index(numpy.argmax(numpy.where(wrong, numpy.nan_to_num(abs(a - b)), -1)), a.shape)
    where = f" of {a.size}, worst at {list(map(int, place))}" if a.ndim else ""
    return f"{wrong.sum()}{where}: {a[place]:.9g}, Keras has {b[place]:.9g}"


def compare(case, results, expected):
    """Lines about everything of a case that differs."""
    problems = []
    base = {name: next((name.removesuffix(v) for v in VARIANTS if name.endswith(v)), name) for name in results}
    for name in expected:
        if name not in results:
            problems.append(f"{name}: cdl has none")
    for name, array in results.items():
        if base[name] not in expected:
            problems.append(f"{name}: Keras has none")
            continue
        words = difference(case, array, expected[base[name]])
        if words:
            problems.append(f"{name}: {words}")
    return problems


def run_keras(kind, only):
    """A worker's part: all cases of a kind; what they are given and must arrive at, by number."""
    done = {}
    for number, case in select(only):
        if case.kind == kind:
            try:
                done[number] = case.run_keras()
            except Exception as error:
                raise RuntimeError(f"Keras cannot run the case {case.kind} {case.name}: {error}") from error
    return done


def select(only):
    """Pairs of a number, from 1, and a case."""
    return list(enumerate((case for case in CASES if only in f"{case.kind} {case.name}"), 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--only", default="", help="run the cases whose kind or name holds this text")
    arguments = parser.parse_args()
    cases = select(arguments.only)
    if not cases:
        sys.exit(f"no case has '{arguments.only}' in its name")
    kinds = list(dict.fromkeys(case.kind for _, case in cases))

    # Keras compiles most of the time, so the kinds are spread over processes.
    given, expected = {}, {}
    workers = min(len(kinds), len(os.sched_getaffinity(0)))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        parts = [(kind, arguments.only) for kind in sorted(kinds, key=SLOWEST_FIRST.index)]
        for done in pool.starmap(run_keras, parts, chunksize=1):
            for number, (inputs, wanted) in done.items():
                given[number], expected[number] = inputs, wanted
    with tempfile.TemporaryDirectory() as folder:
        results, errors = run_cdl(arguments.program, cases, given, pathlib.Path(folder))

    passed, failed, known = collections.Counter(), collections.Counter(), []
    for number, case in cases:
        if number in errors:
            problems = [errors[number]]
        else:
            problems = compare(case, case.read(results[number]), expected[number])
        if case.differs and number not in errors:
            known.append(f"{case.kind} {case.name}: {case.differs}")
            problems = [] if problems else ["does not differ from Keras any more; take `differs` away"]
        for problem in problems:
            print(f"{case.kind} {case.name}: {problem}")
        (failed if problems else passed)[case.kind] += 1
    for kind in kinds:
        print(f"{kind}: {passed[kind]} passed, {failed[kind]} failed")
    for line in known:
        print(f"known difference: {line}")
    values = sum(len(arrays) for arrays in expected.values())
    print(f"{passed.total()} passed, {failed.total()} failed ({values} arrays compared with Keras)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
