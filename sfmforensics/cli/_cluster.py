"""Work on a Dask cluster."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import joblib

from sfmforensics.cli._console import tell
from sfmforensics.exceptions import MissingExtraError, SFMForensicsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = "20s"


@contextmanager
def on_cluster(address: str | None) -> Iterator[None]:
    """Send joblib's jobs to a Dask cluster.

    Parameters
    ----------
    address : str or None
        Of the scheduler, such as ``tcp://10.0.0.5:8786``; None stays here.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    SFMForensicsError
        Nobody answers there, or there are no workers.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("dask.distributed", "distributed") from error
    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise SFMForensicsError(
            f"--cluster {address}: no scheduler answers there ({error}); start one with: dask "
            "scheduler, and workers with: dask worker ADDRESS --nthreads 1"
        ) from error
    with client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise SFMForensicsError(
                f"--cluster {address}: no worker is there; start some with: dask worker {address} "
                "--nthreads 1"
            )
        tell(f"{workers} workers at {address}")
        with joblib.parallel_config(backend="dask", client=client):
            yield
