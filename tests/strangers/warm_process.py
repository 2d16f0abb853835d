"""A process that has imported torchdenoise and runs each command line that it reads in a forked child.

Each line that it reads is JSON: ``words``, ``folder``, ``out`` and ``err`` (files), ``seconds``. It answers with
``code`` (null if the time was up), ``seconds`` and ``grown`` (bytes of memory that the command added).
"""

import importlib
import io
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

ADDRESSES = 4 << 30
"""Bytes of address space that a child may add, so that a bomb that works harms no other process."""


def warm():
    """Import what the commands import when they are used."""
    import torch

    from torchdenoise.commands import COMMANDS
    from torchdenoise.fitting import Options
    from torchdenoise.fitting.single import build
    from torchdenoise.recipes import load_recipe

    torch.set_num_threads(1)
    for name in set(COMMANDS.values()):
        importlib.import_module(name)
    for name in ("torchdenoise.benchmarking", "torchdenoise.fitting.denoising", "torchdenoise.denoisers.methods"):
        importlib.import_module(name)
    for recipe in ("tv", "zsn2n"):
        build(load_recipe(recipe), Options())


def child(job, start):
    """Write the memory in use to a pipe, run one command line, and leave the process."""
    import resource

    import psutil

    from torchdenoise.cli import main

    code = 1
    try:
        os.setsid()
        Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, this process is the one to end
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(each, "w")) for each in (1, 2))
        memory = psutil.Process().memory_info()
        os.write(start, str(memory.rss).encode())
        limit = memory.vms + ADDRESSES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        os.chdir(job["folder"])
        sys.argv = ["torchdenoise", *job["words"]]
        try:
            code = main(job["words"])
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def attempt(job):
    """Run one command line in a child; return how it ended."""
    begin, (reading, writing) = time.monotonic(), os.pipe()
    process = os.fork()
    if not process:
        child(job, writing)
    before, ended, late = int(os.read(reading, 99)), 0, False
    os.close(reading)
    os.close(writing)
    while not ended:
        late = late or time.monotonic() - begin > job["seconds"]
        if late:
            os.killpg(process, signal.SIGKILL)
        ended, status, used = os.wait4(process, 0 if late else os.WNOHANG)
        time.sleep(0 if ended else 0.005)
    return {
        "code": None if late else os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - begin,
        "grown": max(0, (used.ru_maxrss << 10) - before),
    }


if __name__ == "__main__":
    warm()
    for line in sys.stdin:
        print(json.dumps(attempt(json.loads(line))), flush=True)
