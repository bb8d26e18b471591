"""The rooms of the package, and the one way through them."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sfmforensics
from sfmforensics.exceptions import ModelFileError
from sfmforensics.workflow import load_model

PACKAGE = Path(sfmforensics.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# The table says on which floor a room is: it may import from lower ones, and from itself.
TABLE = Path(__file__).parents[2] / "docs" / "rooms.toml"
ROOMS = tomllib.loads(TABLE.read_text(encoding="utf-8"))["room"]
FLOOR = {room["name"]: room["floor"] for room in ROOMS}


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def module_of(file):
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] in ("__init__", "__main__") else parts)


def imports(file):
    """Every module of the package that a file names, wherever the import stands."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides which room it is from"
            whole = node.module == "sfmforensics"
            yield from (f"{node.module}.{a.name}" for a in node.names) if whole else [node.module]


@pytest.mark.parametrize("file", FILES, ids=[module_of(file) for file in FILES])
def test_a_room_imports_only_from_lower_floors(file):
    room = room_of(module_of(file))
    if not room:  # the package itself, which opens rooms only when asked
        return
    for module in imports(file):
        if module == "sfmforensics" or not module.startswith("sfmforensics."):
            continue
        other = room_of(module)
        assert other == room or FLOOR[other] < FLOOR[room], f"{room} imports {module}"


def test_the_table_of_rooms_names_what_is_there_on_the_lowest_floor_that_holds_it():
    assert {room_of(module_of(file)) for file in FILES} - {""} == set(FLOOR)
    below = {name: [0] for name in FLOOR}
    for file in FILES:
        room = room_of(module_of(file))
        others = {room_of(m) for m in imports(file) if m.startswith("sfmforensics.")}
        if room:
            below[room] += [FLOOR[other] for other in others - {room}]
    assert {name: 1 + max(floors) for name, floors in below.items()} == FLOOR


def test_contributing_shows_the_table_of_rooms():
    text = (TABLE.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [f"| {room['floor']} | `{room['name']}` | {room['reason']} |" for room in ROOMS]
    assert "\n".join(rows) in text


# What runs a stranger's text, or objects that somebody pickled.
RUNS_CODE = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve", "jsonpickle"),
    *("subprocess", "pty", "pexpect", "sh", "runpy", "code", "codeop", "commands"),
}
OF_OS = re.compile(r"system|popen|startfile|(exec|spawn|posix_spawn)\w*")
UNPICKLED = ("workflow/_predict.py", "_unpickled")  # asked by load_model, which asks for trust


def dotted(node):
    """The name of what is called: ["np", "load"] for np.load; "" stands for what has no name."""
    if isinstance(node, ast.Attribute):
        return [*dotted(node.value), node.attr]
    return [node.id if isinstance(node, ast.Name) else ""]


def given(call, name):
    """What a call gives for an option: a constant, None without, ... for what is not told here."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value.value if isinstance(keyword.value, ast.Constant) else ...
    return None


def risks_of_call(call):
    *owner, name = dotted(call.func)
    root = owner[0] if owner else ""
    if not owner and name in ("eval", "exec", "compile", "__import__"):
        yield name
    if owner and name == "eval" and (call.args or call.keywords):  # a network's takes nothing
        yield "eval of a library"
    if owner == ["os"] and OF_OS.fullmatch(name):
        yield f"os.{name}"
    if root == "yaml" and "load" in name and name != "safe_load":
        yield "yaml.load"
    if name in ("read_pickle", "to_pickle"):
        yield name
    if root in ("np", "numpy") and name in ("load", "fromfile") and given(call, "allow_pickle"):
        yield "np.load of pickles"
    if root == "torch" and name == "load" and given(call, "weights_only") is not True:
        yield "torch.load of pickles"
    if root == "joblib" and name == "load":
        yield "joblib.load"
    yield from (o for o in ("shell", "trust_remote_code", "allow_pickle") if given(call, o))


def risks(tree):
    """What in a module could run a stranger's code: (name, function that it is in)."""
    inside = {
        child: function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for child in ast.walk(function)
    }
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
            found = [name for name in names if name in RUNS_CODE]
        elif isinstance(node, ast.ImportFrom):
            module, names = node.module.partition(".")[0], [alias.name for alias in node.names]
            found = [module] if module in RUNS_CODE else []
            loads = module in ("yaml", "joblib", "torch", "numpy") and "load" in names
            found += [f"load of {module}"] if loads else []
            found += [n for n in names if module == "os" and OF_OS.fullmatch(n)]
        elif isinstance(node, ast.Call):
            found = risks_of_call(node)
        yield from ((name, inside.get(node)) for name in found)


@pytest.mark.parametrize("file", FILES, ids=[module_of(file) for file in FILES])
def test_nothing_runs_the_code_of_a_stranger(file):
    allowed = {("joblib.load", UNPICKLED[1])} if file == PACKAGE / UNPICKLED[0] else set()
    assert set(risks(ast.parse(file.read_text(encoding="utf-8")))) <= allowed


def test_only_what_asks_for_trust_unpickles():
    users = [
        (file.relative_to(PACKAGE).as_posix(), function.name)
        for file in FILES
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == UNPICKLED[1]
    ]
    assert users == [(UNPICKLED[0], "load_model")]
    with pytest.raises(ModelFileError, match="may run any code"):
        load_model(__file__)


@pytest.mark.parametrize(
    "code",
    [
        "eval(text)",
        "exec(text)",
        "pandas.eval(text)",
        "frame.eval('a + b')",
        "import pickle",
        "from subprocess import run",
        "import os.path, subprocess",
        "os.system('ls')",
        "os.execv('/bin/ls', [])",
        "from os import system",
        "run('ls', shell=True)",
        "yaml.load(text, Loader=SafeLoader)",
        "yaml.unsafe_load(text)",
        "from yaml import load",
        "np.load(file, allow_pickle=True)",
        "numpy.load(file, allow_pickle=flag)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "joblib.load(file)",
        "from joblib import load",
        "pd.read_pickle(file)",
        "AutoModel.from_pretrained(folder, trust_remote_code=True)",
    ],
)
def test_the_test_of_code_sees_it(code):
    assert list(risks(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "network.eval()",
        "network.float().eval().to(device)",
        "np.load(file, mmap_mode='r', allow_pickle=False)",
        "torch.load(file, weights_only=True)",
        "re.compile(text)",
        "json.load(file)",
        "AutoModel.from_pretrained(folder, trust_remote_code=False)",
    ],
)
def test_what_runs_nothing_is_not_refused(code):
    assert not list(risks(ast.parse(code)))


STATEMENTS = {
    # What may not be imported by what is run so far, in one process.
    "import sfmforensics, sfmforensics.datasets": ("torch",),
    "from sfmforensics import TANGO, ConcatFusion, SingleView, PerTask, make_views": (),
    "import sfmforensics.embedders, sfmforensics.metrics": (),
    "import sfmforensics.report, sfmforensics.workflow, sfmforensics.cli": (),
    "TANGO(max_epochs=1).fit([[0, 1], [1, 0]] * 4, [0, 1] * 4)": (),
}
HEAVY = ("transformers", "speechbrain", "tensorflow", "tensorflow_hub", "torchaudio")


@pytest.mark.slow
def test_no_heavy_library_is_imported_before_it_is_used():
    code = "import sys\n" + "\n".join(
        f"{statement}\nprint([name for name in {HEAVY + more} if name in sys.modules])"
        for statement, more in STATEMENTS.items()
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = dict(zip(STATEMENTS, done.stdout.splitlines(), strict=True))
    assert imported == dict.fromkeys(STATEMENTS, "[]")


@pytest.mark.slow
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
