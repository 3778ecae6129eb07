"""Progress is drawn on a terminal, once something takes over two seconds, and nowhere else."""

import os
import pty
import subprocess
import sys

LONG = """
import sys, time
from reelcheck.terminal import steps
with steps("describing", 5) as done:
    for _ in range(5):
        time.sleep(float(sys.argv[1]))
        with steps("measuring", 2) as inner:
            inner()
        done()
"""


def drawn(seconds_a_step: float) -> str:
    """Return what a terminal gets to see."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", LONG, str(seconds_a_step)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 4096):
                seen += part
        except OSError:  # how Linux tells that nobody holds the other end
            pass
        os.close(ours)
    assert process.returncode == 0
    return seen.decode()


def test_a_bar_is_drawn_once_it_takes_long_and_only_the_outer_one() -> None:
    seen = drawn(0.6)

    assert "describing" in seen
    assert "%" in seen
    assert "measuring" not in seen


def test_nothing_is_drawn_of_what_is_over_soon() -> None:
    assert "describing" not in drawn(0.01)


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LONG, "0.5"], check=True, capture_output=True, text=True
    )

    assert done.stdout == done.stderr == ""
