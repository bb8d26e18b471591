"""Where a model's files lie: in a folder, in the hub's cache or on the hub; what is missing."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics._utils.files import file_hash
from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import EmbedderError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from sfmforensics._types import PathLike

    Stamp: TypeAlias = tuple[str, int, int, int, int]
    State: TypeAlias = tuple[Stamp, ...]
    Choose: TypeAlias = Callable[[Sequence[str]], list[str]]
    Explain: TypeAlias = Callable[[str, str | None], AbstractContextManager[None]]
    Found: TypeAlias = tuple[str, State, str | None]

_SECONDS_TO_ANSWER = 10


def locate(model: PathLike) -> tuple[str, State]:
    """Tell a local folder, as it is now, from a name on a hub."""
    folder = user_path(str(model))
    if not folder.is_dir():
        return str(model), ()
    folder = folder.resolve()
    return str(folder), stamp(folder, sorted(file for file in folder.iterdir() if file.is_file()))


def find_folder(model: PathLike, revision: str | None, choose: Choose, explain: Explain) -> Found:
    """Find the folder of a model; one of the hub is fetched if need be."""
    where, state = locate(model)
    if state or os.path.isdir(where):
        return where, state, None
    folder, commit = _of_hub(where, revision, choose, explain)
    return folder, (), commit


@lru_cache(maxsize=32)
def _of_hub(model: str, revision: str | None, choose: Choose, explain: Explain) -> tuple[str, str]:
    with explain(model, revision):
        return local_copy(model, revision, choose)


def how_to_get(model: str, revision: str | None) -> str:
    """Say how to fetch a model of the hub by hand."""
    return f"get it with: hf download {model}" + (f" --revision {revision}" if revision else "")


def local_copy(model: str, revision: str | None, choose: Choose) -> tuple[str, str]:
    """Folder that holds a model of the Hugging Face hub.

    What the hub's cache holds is used as it is, and nothing asks whether there is a newer one;
    only what is not there is fetched.
    """
    folder = _cached(model, revision, choose)
    if folder is None:
        _fetch(model, revision, choose)
        folder = _cached(model, revision, choose)
    if folder is None:
        raise FileNotFoundError("what was fetched is not in the local hub cache")
    return folder, os.path.basename(folder)


def _cached(model: str, revision: str | None, choose: Choose) -> str | None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    repo = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=model, repo_type="model")
    reference = repo / "refs" / (revision or "main")
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else str(revision)
    folder = repo / "snapshots" / commit
    try:
        choose(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return str(folder)


def _fetch(model: str, revision: str | None, choose: Choose) -> None:
    from huggingface_hub import HfApi, constants, hf_hub_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        # One short question first: without a network, a download would be tried for half a minute.
        info = HfApi().model_info(model, revision=revision, timeout=_SECONDS_TO_ANSWER)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise FileNotFoundError("the hub has no such model, or shows it to members only") from error
    except Exception as error:  # the client's own, or those of its HTTP library, which has changed
        off = constants.HF_HUB_OFFLINE
        why = "HF_HUB_OFFLINE is set" if off else f"the hub gave no answer ({first_line(error)})"
        raise FileNotFoundError(why) from error
    for name in choose([file.rfilename for file in info.siblings or ()]):
        hf_hub_download(model, name, revision=revision)


def hash_files(folder: Path, files: Sequence[Path]) -> str:
    """Identify the files of a local model by their content."""
    return _hash(str(folder.absolute()), stamp(folder, files))


def hash_each(folder: str | Path, files: Sequence[Path]) -> dict[str, str]:
    """Identify each file of a local model by its content."""
    return {one[0]: _hash_one(str(folder), one) for one in stamp(folder, files)}


@lru_cache(maxsize=256)
def _hash_one(folder: str, stamped: Stamp) -> str:
    return file_hash(os.path.join(folder, stamped[0]))


def stamp(folder: str | Path, files: Sequence[Path]) -> State:
    """Describe files so that the description changes whenever one of them does."""
    stats = [(os.path.relpath(file, folder), os.stat(file)) for file in files]
    return tuple(
        (name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        for name, stat in stats
    )


@lru_cache(maxsize=32)
def _hash(folder: str, stamps: State) -> str:
    digest = sha256()
    for name, *_ in stamps:
        with open(os.path.join(folder, name), "rb") as stream:
            content = file_digest(stream, "sha256")
        digest.update(f"{Path(name).as_posix()}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()


# -- errors ------------------------------------------------------------------------------------


@contextmanager
def explained(model: str, library: str, contents: str, get: str) -> Iterator[None]:
    """Turn whatever goes wrong while a model is loaded into one line with a remedy."""
    # What the hub's client says of each of its tries is said once, at the end, with a remedy.
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    except (EmbedderError, MissingExtraError, MemoryError):
        raise
    except Exception as error:
        said = first_line(error)
        if isinstance(error, ModuleNotFoundError):
            text = (
                f"{library} cannot import what this model needs ({said}); where torchaudio is "
                "installed, it must be of torch's own build: uninstall or replace it"
            )
        elif os.path.isdir(model):
            text = f"not a folder of a {library} model ({said}); it needs {contents}"
        elif isinstance(error, (OSError, ValueError)):
            text = (
                f"no such folder, and no complete model in the local hub cache or on the hub "
                f"({said}); {get}, or name a local folder (--views NAME=FOLDER)"
            )
        else:
            text = f"it cannot be loaded ({said}); {get} anew"
        raise EmbedderError(f"{model}: {text}") from error
    finally:
        log.setLevel(level)


def first_line(error: BaseException) -> str:
    r"""Say in one line what an exception says in many.

    Examples
    --------
    >>> first_line(OSError("no weights\nand a long story"))
    'no weights'
    """
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
