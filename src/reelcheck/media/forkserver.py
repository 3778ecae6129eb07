"""A warm process that forks one limited child per job.

Importing FFmpeg and numpy takes a third of a second; a fork of a process that has them takes
milliseconds. The server itself never touches a file: it only forks. Run by
``reelcheck.media.guard``, never by hand.

Each job is forked twice: the middle process waits for the worker and reports how it ended.

A module whose function is called may also have ``prepare(job, fd, channel)``. It is called first,
while files can still be opened by name, and returns the name of a model that is asked over the
network, or nothing. Then the doors shut, see ``reelcheck.media.isolation``.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
from typing import Any, Final

from reelcheck.errors import ReelcheckError
from reelcheck.media.channel import Channel
from reelcheck.media.isolation import Layers, close_doors
from reelcheck.media.isolation.kernel import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl
from reelcheck.settings import Isolation

_ANALYZERS: Final = "reelcheck.analyzers"
_MAX_JOB_BYTES: Final = 1 << 20
_MAX_OPEN_FILES: Final = 256
_KEPT_ENVIRONMENT: Final = frozenset(
    {
        "HOME",
        "ORT_DISABLE_TELEMETRY",
        "REELCHECK_CONFIG",
        "REELCHECK_MODELS",
        "REELCHECK_MODEL_KEY",
        "REELCHECK_STRICT_MODELS",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    }
)
"""What it takes to load models, and nothing else: secrets are often kept in the environment.

The key of encrypted models is among them, for it is here that they are decrypted.
"""
_FORGOTTEN: Final = "REELCHECK_MODEL_KEY"
"""Taken away once the models are loaded, before a byte of the video is decoded."""


def serve(control: socket.socket) -> None:
    """Fork a worker for every job that arrives on ``control``, until it closes."""
    signal.signal(signal.SIGCHLD, _reap)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    for module in ("reelcheck.onepass", "av.subtitles.stream", "numpy.ma"):
        importlib.import_module(module)
    gc.freeze()
    while True:
        body, descriptors, _, _ = socket.recv_fds(control, _MAX_JOB_BYTES, 2)
        if not body:
            return _wait_for_all()
        job = json.loads(body)
        _import_once(job)
        if os.fork() == 0:
            control.close()
            _watch(job, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _import_once(job: dict[str, Any]) -> None:
    """Import what every worker of such a job would import anew: our own code, and nothing else."""
    for name in job.get("analyzers", ()):
        with contextlib.suppress(ImportError):  # not one of ours: the worker looks further
            importlib.import_module(f"{_ANALYZERS}.{name}")


def _reap(number: int, frame: object) -> None:
    """Collect children that ended, so that their CPU time counts as that of the command."""
    del number, frame
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _wait_for_all() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _watch(job: dict[str, Any], file: int, end: int) -> None:
    """Fork the worker, wait for it, report how it ended, and leave."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _die_with_parent()
    channel = Channel(socket.socket(fileno=end))
    worker = os.fork()
    if worker == 0:
        _work(job, file, channel)
    with contextlib.suppress(OSError):
        channel.send({"kind": "started", "pid": worker})
    _, status, usage = os.wait4(worker, 0)
    with contextlib.suppress(OSError):
        channel.send(
            {
                "kind": "ended",
                "status": os.waitstatus_to_exitcode(status),
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_resident_bytes": usage.ru_maxrss * 1024,
            }
        )
    os._exit(0)


def _work(job: dict[str, Any], file: int, channel: Channel) -> None:
    code = 1
    try:
        layers = _confine(job["limits"])
        name, _, attribute = job["entry"].partition(":")
        module = importlib.import_module(name)
        prepare = getattr(module, "prepare", None)
        network_for = prepare(job, file, channel) if prepare else ""
        os.environ.pop(_FORGOTTEN, None)
        close_doors(layers, how=Isolation(job["isolation"]), network_for=network_for)
        told = {"layers": layers.held, "missing": layers.missing}
        channel.send({"kind": "isolation", **told})
        getattr(module, attribute)(job, file, channel)
        code = 0
    except MemoryError:
        channel.send({"kind": "error", "code": "E_MEMORY", "message": "out of memory"})
    except ReelcheckError as error:
        channel.send(
            {"kind": "error", "code": error.code, "message": str(error), "hint": error.hint}
        )
    except BaseException as error:  # noqa: BLE001 - the last line of defence: a typed outcome
        channel.send(
            {"kind": "error", "code": "E_INTERNAL", "message": f"{type(error).__name__}: {error}"}
        )
    finally:
        os._exit(code)


def _confine(limits: dict[str, Any]) -> Layers:
    """Take away what neither models nor decoding need; return which layers hold."""
    layers = Layers()
    layers.note("process")
    none = f"prctl: not on {sys.platform}"
    layers.note("die_with_parent", why_not="" if _die_with_parent() else none)
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    space = int(limits["address_space_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    layers.note("rlimit")
    layers.note("no_new_privs", why_not="" if prctl(PR_SET_NO_NEW_PRIVS, 1) else none)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    for name in set(os.environ) - _KEPT_ENVIRONMENT:
        del os.environ[name]
    return layers


def _die_with_parent() -> bool:
    return prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
