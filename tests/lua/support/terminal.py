"""Drives a program on a pseudo terminal: terminal.py PROGRAM [ARGUMENT...] < STEPS

A step is a line: `send TEXT` types it (with \\r, \\t, \\x03 ... as in a Python literal),
`expect TEXT` waits until that appears after what was matched before, `signal NAME` sends a
signal to the program. Ctrl-D alone is sent when the next prompt is there, since what is typed
between prompts is not the line editor's. The program's exit status is printed at the end as `exit N`. A text
that does not appear within 20 seconds ends the run with status 1 and the transcript.
"""
import ast
import os
import pty
import select
import signal
import sys
import time

PATIENCE = 20


def fail(reason, seen):
    sys.exit("%s; the terminal shows:\n%s" % (reason, seen.decode("utf-8", "replace")))


def read_some(terminal, seconds):
    """What the program wrote; b"" when it is gone, None when nothing came in time."""
    ready, _, _ = select.select([terminal], [], [], seconds)
    if not ready:
        return None
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def main():
    steps = [line.rstrip("\n").split(" ", 1) for line in sys.stdin if line.strip()]
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        # libedit never frees the name of a function that is added to it.
        os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
        os.execvp(sys.argv[1], sys.argv[1:])
    seen, matched = b"", 0

    def wait_for(wanted):
        nonlocal seen
        deadline = time.monotonic() + PATIENCE
        while wanted not in seen[matched:]:
            more = read_some(terminal, max(0, deadline - time.monotonic()))
            if not more:
                fail("'%s' was not shown" % wanted.decode(), seen)
            seen += more

    at_prompt = False
    for kind, text in steps:
        if kind == "send":
            if text == "\\x04" and not at_prompt:
                wait_for(b"> ")
            at_prompt = False
            os.write(terminal, ast.literal_eval('b"%s"' % text.replace('"', '\\"')))
        elif kind == "signal":
            os.kill(child, getattr(signal, text))
        else:
            wanted = text.encode()
            wait_for(wanted)
            matched = seen.index(wanted, matched) + len(wanted)
            at_prompt = text.rstrip().endswith(">")
    deadline = time.monotonic() + PATIENCE
    while True:
        more = read_some(terminal, max(0, deadline - time.monotonic()))
        if more is None:
            os.kill(child, signal.SIGKILL)
            fail("the program did not end", seen)
        if not more:
            break
        seen += more
    status = os.waitpid(child, 0)[1]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    sys.stdout.write(seen.decode("utf-8", "replace") + "\nexit %d\n" % code)


main()
