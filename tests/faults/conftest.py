"""Commands in processes of their own that die when they are told to."""

import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

# One process imports everything and then forks for each command: an import takes seconds. What a
# command imports besides, because it is the first to need it, the next one finds imported.
RUNNER = """
    import contextlib, importlib, json, os, signal, sys, time
    import librosa, matplotlib, sklearn.manifold, sklearn.svm, torch
    import sfmforensics.report, sfmforensics.workflow
    from matplotlib.figure import Figure
    from sfmforensics.cli import main
    from sfmforensics.report import figures

    # Drawing is half of what a command takes, and no matter of what is whole and what is not.
    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "a figure")
    small = figures.png_of(figure)
    figures.png_of = lambda figure: small

    def counting(root, limit):
        # Whatever opens a file to write, renames or removes one below the root is an event.
        seen = [0]
        def hook(name, arguments):
            if name == "open":
                path, mode, flags = arguments
                writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            elif name in ("os.rename", "os.remove", "os.mkdir"):
                path, writes = arguments[0], True
            else:
                return
            if not writes or not isinstance(path, str) or not path.startswith(root):
                return
            seen[0] += 1
            if seen[0] == limit:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        return seen

    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        before = set(sys.modules)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 99
            try:
                said = os.open(job["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(said, 1)
                os.dup2(said, 2)
                os.chdir(job["cwd"])
                seen = counting(job["root"], job["events"])
                code = main(job["arguments"])
                names = [name for name in list(sys.modules) if name not in before]
                told = json.dumps([seen[0], names]).encode()
                with open(writing, "wb") as stream:
                    stream.write(told)
            finally:
                os._exit(code)
        os.close(writing)
        os.set_blocking(reading, False)
        started, events = time.monotonic(), b""
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            with contextlib.suppress(BlockingIOError):  # a pipe holds less than all names
                while part := os.read(reading, 65536):
                    events += part
            if pid:
                break
            if job["seconds"] is not None and time.monotonic() - started > job["seconds"]:
                os.kill(child, signal.SIGKILL)
                job["seconds"] = None
            time.sleep(0.002)
        lasted = time.monotonic() - started
        os.close(reading)
        events, names = json.loads(events or "[0, []]")
        for name in names:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        print(json.dumps({
            "killed": os.WIFSIGNALED(status),
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "events": events,
            "seconds": lasted,
        }), flush=True)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a command in a folder, and kill it at an event, or at a time, or not at all."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    said = tmp_path_factory.mktemp("said") / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUNNER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"MPLBACKEND": "Agg"},
    )
    assert process.stdout.readline() == "ready\n"

    def command(arguments, cwd, events=None, seconds=None, root=None):
        job = {
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd),
            "root": str(root or cwd),
            "events": events,
            "seconds": seconds,
            "said": str(said),
        }
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        return found | {"said": said.read_text(errors="replace")}

    yield command
    process.stdin.close()
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of four speakers with four recordings each, on disk."""
    from sfmforensics.datasets import make_speech_corpus

    folder = tmp_path_factory.mktemp("recordings")
    corpus = make_speech_corpus(4, 4, duration=0.3, random_state=0, output=folder)
    target = corpus.target.copy()
    target.insert(0, "path", [os.path.relpath(path, folder) for path in corpus.data])
    target.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


@pytest.fixture
def small_disk(tmp_path):
    """``small_disk(kib)``: a folder on a disk of that size."""
    mounted = []

    def mount(kib):
        folder = tmp_path / "disk"
        folder.mkdir()
        tool = shutil.which("mount")
        command = [tool, "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
        if tool is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no small disk can be mounted here: that needs root")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
