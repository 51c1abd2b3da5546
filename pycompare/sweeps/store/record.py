"""A training between two epochs as one file: safetensors, with numbers and texts as JSON in its header.

Nothing in it is ever run, as what a pickle holds would be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycompare.training.state import State

LAYOUT = 1  # of all files of a store


@dataclass(frozen=True)
class Record:
    """A state, and what was told of the training so far.

    Attributes:
        state: of the training.
        rows: so far.
        engine, why: who trained.
    """

    state: State
    rows: list[dict[str, Any]]
    engine: str
    why: str


def to_bytes(record: Record) -> bytes:
    """The file."""
    from safetensors.torch import save

    told = {"told": record.state.told, "rows": record.rows, "engine": record.engine, "why": record.why}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in record.state.tensors.items()}
    return bytes(save(tensors, {"pycompare": json.dumps({"layout": LAYOUT} | told)}))


def from_file(path: Path, *, tensors: bool = True) -> Record:
    """What `to_bytes` wrote; without `tensors` its weights stay on disk.

    Raises:
        ValueError: the file is damaged, another program's, or a newer pycompare's; it names the file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {})["pycompare"])
            check_layout(told, path)
            kept = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118 (no dict)
        return Record(State(kept, told["told"]), told["rows"], told["engine"], told["why"])
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as cause:
        raise damaged(path, cause) from cause


def check_layout(told: Any, path: Path) -> None:
    """Refuse what a newer pycompare wrote."""
    layout = told.get("layout") if isinstance(told, dict) else None
    if not isinstance(layout, int):
        raise damaged(path, "no layout is told in it")
    if layout > LAYOUT:
        raise ValueError(
            f"`store` must be written by this version of pycompare or an older one; got {str(path)!r} of layout"
            f" {layout}, where this version knows {LAYOUT}. Install the newer version."
        )


def damaged(path: Path, cause: object) -> ValueError:
    """The error for a file that cannot be read."""
    return ValueError(
        f"`store` must hold whole files of a store; got {str(path)!r}, which cannot be read ({cause})."
        " Remove its run (`pycompare runs rm`); it is then trained anew. All others are as they were."
    )


def unwritable(path: Path, cause: OSError) -> ValueError:
    """The error for a file that cannot be written."""
    return ValueError(
        f"`store` must be a folder that can be written; got {str(path)!r} ({cause.strerror}). Make room, or"
        " name another folder. What was stored before is whole."
    )
