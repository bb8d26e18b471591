"""The rooms of the package, and the one way through them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sfmforensics

PACKAGE = Path(sfmforensics.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A room may import from those to its left, and from itself.
ROOMS = [
    ["_types"],
    ["exceptions", "_files", "_progress"],
    ["audio", "_versions"],
    ["datasets"],
    ["embedders"],
    ["views", "_labels"],
    ["embeddings"],
    ["nn", "targets"],
    ["_parameters", "_folds", "_weights"],
    ["_score", "_fitted"],
    ["_multitask"],
    ["estimators", "baselines"],
    ["presets", "saving"],
    ["model_selection", "metrics", "paper"],
    ["experiment"],
    ["audit"],
    ["report"],
    ["workflow"],
    ["_console"],
    ["demo"],
    ["cli"],
]
ORDER = {room: place for place, rooms in enumerate(ROOMS) for room in rooms}


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def module_of(file):
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file):
    """Every module of the package that a file names, wherever the import stands."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides which room it is from"
            yield node.module


@pytest.mark.parametrize("file", FILES, ids=[module_of(file) for file in FILES])
def test_a_room_imports_only_from_rooms_to_its_left(file):
    room = room_of(module_of(file))
    if not room:  # the package itself, which opens rooms only when asked
        return
    for module in imports(file):
        if module.startswith("sfmforensics."):
            other = room_of(module)
            assert other == room or ORDER[other] < ORDER[room]


def test_every_room_has_its_place():
    assert {room_of(module_of(file)) for file in FILES} - {""} <= set(ORDER)


@pytest.mark.parametrize("file", FILES, ids=[module_of(file) for file in FILES])
def test_a_module_can_be_read_in_one_sitting(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 350


HEAVY = ("transformers", "speechbrain", "tensorflow", "tensorflow_hub", "torchaudio")


@pytest.mark.parametrize(
    "statement",
    [
        "import sfmforensics",
        "from sfmforensics import TANGO, ConcatFusion, SingleView, PerTask, make_views",
        "import sfmforensics.embedders, sfmforensics.datasets, sfmforensics.metrics",
        "import sfmforensics.report, sfmforensics.workflow, sfmforensics.cli",
        "from sfmforensics import TANGO; TANGO(max_epochs=1).fit([[0, 1], [1, 0]] * 4, [0, 1] * 4)",
    ],
)
def test_no_heavy_library_is_imported_before_it_is_used(statement):
    code = f"{statement}\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_alone_does_not_import_torch():
    code = "import sys, sfmforensics, sfmforensics.datasets; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_core_works_where_no_extra_is_installed():
    """The main job, with every package of the extras made impossible to import."""
    code = """
import sys
for name in ("speechbrain", "torchaudio", "tensorflow", "tensorflow_hub", "tf_keras", "dask"):
    sys.modules[name] = None
from sklearn.pipeline import make_pipeline
from sfmforensics import TANGO, make_views
from sfmforensics.datasets import make_speech_corpus
corpus = make_speech_corpus(4, 2, duration=0.4)
pipe = make_pipeline(make_views("mfcc", "prosody"), TANGO(max_epochs=1, random_state=0))
print(len(pipe.fit(corpus.data, corpus.target).predict(corpus.data)))
for view, extra in (("x-vector", "xvector"), ("trillsson", "trillsson")):
    try:
        make_views(view).fit_transform(corpus.data)
    except ImportError as error:
        assert extra in str(error), error
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.strip().splitlines()
    assert lines[0] == "8"
    assert len(lines) == 3
    assert all("pip install" in line for line in lines[1:])
