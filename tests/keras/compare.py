"""Compares cdl with Keras: runs the table in cases.py in both and compares every number.

    python3 compare.py CDL [--environment FOLDER] [--only TEXT]

CDL is the program. Keras and JAX must be there in the versions of requirements.txt: in this
Python, or in the virtual environment in FOLDER, which scripts/check makes. Prints a line for each
failure and a summary; --only runs the cases whose kind or name holds the text. One more layer or
loss is one more line in cases.py.
"""

import argparse
import collections
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
sys.dont_write_bytecode = True  # the source tree stays as it is
warnings.simplefilter("ignore")  # Keras's advice on models is not for this table


def enter_environment():
    """Starts this program anew with the Python of --environment, if that is among the arguments."""
    if "--environment" not in sys.argv[:-1]:
        return
    at = sys.argv.index("--environment")
    folder = pathlib.Path(sys.argv[at + 1]).resolve()
    if not (folder / "made-from.txt").exists():
        sys.exit(f"There is no environment with Keras in {folder}: scripts/check makes it from "
                 "tests/keras/requirements.txt, for which it needs a network.")
    # What JAX compiles is kept there, so that only the first run is slow.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "compiled")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    python = folder / "bin" / "python"
    os.execv(python, [str(python), *sys.argv[:at], *sys.argv[at + 2:]])


enter_environment()

try:
    import numpy

    with tempfile.TemporaryDirectory() as empty:
        os.environ["KERAS_HOME"] = empty  # no settings of the user, and none written
        from cases import CASES
        from lua_text import lua
except ImportError as error:
    sys.exit(f"{error}\nThe comparison wants the packages of tests/keras/requirements.txt.")

HERE = pathlib.Path(__file__).parent
PIECE = 30  # cases that a process takes on at a time


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
        wrong = ~(abs(a - b) <= case.allowed(b))
        wrong &= ~((a == b) | (numpy.isnan(a) & numpy.isnan(b)))
    if not wrong.any():
        return None
    size = numpy.where(wrong, numpy.nan_to_num(abs(a - b)), -1)
    place = numpy.unravel_index(numpy.argmax(size), a.shape)
    where = f" of {a.size}, worst at {list(map(int, place))}" if a.ndim else ""
    return f"{wrong.sum()}{where}: {a[place]:.9g}, Keras has {b[place]:.9g}"


def compare(case, results, expected):
    """Lines about everything of a case that differs. A result whose name ends in ", eager",
    ", traced" or ", onnx" is the same number, computed in another way."""
    problems = []
    for name in expected:
        if name not in results:
            problems.append(f"{name}: cdl has none")
    for name, array in results.items():
        base = name.removesuffix(", eager").removesuffix(", traced").removesuffix(", onnx")
        if base not in expected:
            problems.append(f"{name}: Keras has none")
            continue
        words = difference(case, array, expected[base])
        if words:
            problems.append(f"{name}: {words}")
    return problems


def run_keras(only, numbers):
    """A worker's part: what these cases are given and must arrive at, by number."""
    cases, done = dict(select(only)), {}
    for number in numbers:
        case = cases[number]
        try:
            done[number] = case.run_keras()
        except Exception as error:
            raise RuntimeError(f"Keras cannot run {case.kind} {case.name}: {error}") from error
    return done


def read_cdl(only, results):
    """A worker's part: cdl's results by number in the form of the expected ones, or what was raised."""
    cases, done = dict(select(only)), {}
    for number, arrays in results.items():
        try:
            done[number] = cases[number].read(arrays)
        except Exception as error:
            done[number] = f"cannot be read: {type(error).__name__}: {error}"
    return done


def select(only):
    """Pairs of a number, from 1, and a case."""
    return list(enumerate((case for case in CASES if only in f"{case.kind} {case.name}"), 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="cdl")
    parser.add_argument("--environment", metavar="FOLDER", help="a virtual environment with Keras")
    parser.add_argument("--only", default="", help="run the cases whose kind or name holds this text")
    arguments = parser.parse_args()
    cases = select(arguments.only)
    if not cases:
        sys.exit(f"no case has '{arguments.only}' in its name")
    # Keras compiles most of the time, so the cases are spread over processes, in pieces from the
    # table's end, where the long ones are.
    numbers = [number for number, _ in reversed(cases)]
    pieces = [(arguments.only, numbers[at:at + PIECE]) for at in range(0, len(numbers), PIECE)]
    given, expected = {}, {}
    workers = min(len(pieces), len(os.sched_getaffinity(0)))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done in pool.starmap(run_keras, pieces, chunksize=1):
            for number, (inputs, wanted) in done.items():
                given[number], expected[number] = inputs, wanted
        with tempfile.TemporaryDirectory() as folder:
            results, errors = run_cdl(arguments.program, cases, given, pathlib.Path(folder))
        pieces = [(arguments.only, {number: results[number] for number in piece if number not in errors})
                  for _, piece in pieces]
        for done in pool.starmap(read_cdl, pieces, chunksize=1):
            results.update(done)

    passed, failed, known = collections.Counter(), collections.Counter(), []
    for number, case in cases:
        if number in errors or isinstance(results[number], str):
            problems = [errors.get(number) or results[number]]
        else:
            problems = compare(case, results[number], expected[number])
        if case.differs and number not in errors and not isinstance(results[number], str):
            known.append(f"{case.kind} {case.name}: {case.differs}")
            problems = [] if problems else ["does not differ from Keras any more; take `differs` away"]
        for problem in problems:
            print(f"{case.kind} {case.name}: {problem}")
        (failed if problems else passed)[case.kind] += 1
    for kind in dict.fromkeys(case.kind for _, case in cases):
        print(f"{kind}: {passed[kind]} passed, {failed[kind]} failed")
    for line in known:
        print(f"known difference: {line}")
    values = sum(len(arrays) for arrays in expected.values())
    print(f"{passed.total()} passed, {failed.total()} failed ({values} arrays compared with Keras)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
