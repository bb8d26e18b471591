"""Inputs on disk that are larger than what a fit may take of memory."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from sfmforensics.estimators import TANGO, ConcatFusion
from sfmforensics.nn import scaling
from sfmforensics.nn.network import MultiViewNetwork

pytestmark = pytest.mark.slow

resource = pytest.importorskip("resource", reason="memory is limited by POSIX's setrlimit")

SCRIPT = """
import resource, sys
import numpy as np
import pandas as pd
from sfmforensics.estimators import TANGO

X = np.load(sys.argv[1], mmap_mode="r")
size = X.nbytes
if sys.argv[3] == "frame":  # as load_embeddings gives it
    X = pd.DataFrame(X, columns=[f"x__{i}" for i in range(X.shape[1])], copy=False)
y = np.column_stack([np.arange(len(X)) % 3, np.arange(len(X)) % 2])
settings = {"views": [500, 1000], "encoder": "tokens", "n_tokens": 2, "token_dim": 8}
settings |= {"batch_size": 512, "max_epochs": 1, "random_state": 0, **eval(sys.argv[2])}
TANGO(**settings).fit(X[:1000], y[:1000]).predict(X[:1000])  # threads and buffers are there now
(used,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmData")]
limit = int(used) * 1024 + size // 4
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.array(X)  # a copy of it would be too much
except MemoryError:
    print("limited")
model = TANGO(**settings).fit(X, y)
print(len(model.predict(X)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("options", "form"), [({}, "array"), ({}, "frame"), ({"early_stopping": True}, "array")]
)
def test_a_matrix_on_disk_is_never_copied(tmp_path, options, form):
    X = np.random.default_rng(0).normal(size=(40_000, 1500)).astype("float32")  # 240 MB
    np.save(tmp_path / "X.npy", X)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "X.npy"), repr(options), form]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.stdout.split() == ["limited", "40000"], run.stderr[-2000:]


@pytest.mark.parametrize("estimator", [TANGO, ConcatFusion])
def test_a_matrix_on_disk_teaches_what_it_teaches_in_memory(tmp_path, estimator):
    X = np.random.default_rng(0).normal(size=(90, 20)).astype("float32")
    y = pd.DataFrame({"sex": np.where(X[:, 0] > 0, "f", "m"), "age": 40 + 5.0 * X[:, 1]})
    np.save(tmp_path / "X.npy", X)
    settings = {"views": [8, 12], "max_epochs": 2, "random_state": 0, "early_stopping": True}
    model = estimator(**settings).fit(X, y)
    mapped = estimator(**settings).fit(np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    pd.testing.assert_frame_equal(mapped.predict(X), model.predict(X), check_exact=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("some", [False, True])
def test_scales_by_pieces_are_those_of_all(monkeypatch, weighted, some):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 9, generator=generator) * torch.arange(1.0, 10) + 100
    given = x.clone()
    weight = torch.rand(1000, generator=generator) if weighted else None
    rows = torch.randperm(1000, generator=generator)[:700] if some else None
    if some and weighted:
        weight = weight[:700]
    found = []
    for size in (10_000, 64):
        monkeypatch.setattr(scaling, "_AT_ONCE", size)
        net = MultiViewNetwork([np.arange(9)], [2], "concatenation", encoder="tokens")
        net.standardise(x, weight, rows)
        found.append(net)
    samples = x if rows is None else x[rows]
    share = torch.ones(len(samples)) if weight is None else weight
    samples, share = samples.double(), share.double()
    mean = (share[:, None] * samples).sum(dim=0) / share.sum()
    deviation = ((share[:, None] * (samples - mean) ** 2).sum(dim=0) / share.sum()).sqrt()
    for net in found:
        torch.testing.assert_close(net.center, mean, rtol=1e-12, atol=0)
        torch.testing.assert_close(net.spread, deviation, rtol=1e-12, atol=0)
    assert torch.equal(x, given)  # what was given is left as it was
