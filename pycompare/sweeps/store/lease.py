"""Leases: of all who share a store, one at a time trains a run.

A lease is a file. Who creates it has the run; it is renewed while the run trains, and gone afterwards. One that nobody
renews belongs to a process that has died, and is removed by whoever waits for it. No two clocks are compared: who waits
looks whether the file changes while its own clock goes on.

What is assumed of the folder: of two processes that create a file with O_EXCL one fails, as on disks and on NFS from
version 3 on; a rename is atomic; who opens a file reads what was in it when it was last closed. Where that fails, or a
process stands still for longer than a lease and then goes on, a run is trained twice: what is stored of it is the same,
and there once.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from threading import Event, Thread

from pycompare.sweeps.store.record import unwritable

BEAT, STILL = 1.0, 10.0  # seconds: after which a lease is renewed, and after which one that is not belongs to nobody


class TakenError(Exception):
    """Somebody else trains the run; `lease` is their file."""

    def __init__(self, lease: Path) -> None:
        super().__init__(lease)
        self.lease = lease


@contextmanager
def held(lease: Path) -> Iterator[None]:
    """Have the file `lease` in the scope, and renew it from a thread; it is gone after the scope, however that ends.

    Raises:
        TakenError: somebody else has it.
    """
    owner, ended = f"{_machine()} {os.getpid()} {uuid.uuid4().hex}\n".encode(), Event()
    _create(lease, owner)
    try:
        Thread(target=_renew, args=(lease, owner, ended), daemon=True).start()
        yield
    finally:
        ended.set()
        with suppress(OSError):  # then it is not renewed, which ends it, too
            if _owner(lease.read_bytes()) == owner:
                lease.unlink()


@dataclass
class Waiting:
    """Leases of others, as they were seen last, and since when they are so by this process's clock."""

    _seen: dict[Path, tuple[bytes, float]] = field(default_factory=dict)

    def over(self, lease: Path) -> bool:
        """Whether nobody has `lease` any more. One whose owner has died is removed."""
        try:
            content = lease.read_bytes()
        except FileNotFoundError:
            return True
        if content != self._seen.get(lease, (None,))[0]:
            self._seen[lease] = content, time.monotonic()
        over = died(content) or time.monotonic() - self._seen[lease][1] > STILL
        if over:
            remove(lease, content)
        return over


def died(content: bytes) -> bool:
    """Whether the owner of a lease was a process of this machine, and is no more."""
    machine, pid, _ = (_owner(content).decode() or "other 0 0").split()
    return machine == _machine() != _UNKNOWN and not _runs(pid)


def remove(lease: Path, content: bytes) -> None:
    """Remove `lease` where it still has this content. Of several who try only one can rename it."""
    aside = lease.with_name(f".{lease.name}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):
        lease.rename(aside)
        if aside.read_bytes() == content:
            aside.unlink()
        else:  # somebody else has removed it, and a third one taken it, since `content` was read
            aside.rename(lease)


def _create(lease: Path, owner: bytes) -> None:
    try:
        lease.parent.mkdir(parents=True, exist_ok=True)
        with lease.open("xb", buffering=0) as file:
            try:
                file.write(owner)
            except BaseException:
                lease.unlink()
                raise
    except FileExistsError as cause:
        raise TakenError(lease) from cause
    except OSError as cause:
        raise unwritable(lease, cause) from cause


def _renew(lease: Path, owner: bytes, ended: Event) -> None:
    """Change what stands after the first line, again and again."""
    for beats in count(1):
        if ended.wait(BEAT):
            return
        with suppress(OSError), lease.open("r+b") as file:  # what fails once may work the next time
            if file.readline() == owner:
                file.write(str(beats).encode())


def _runs(pid: str) -> bool:
    """Whether a process has this number; one that was killed, and nobody has asked how it ended, has no command."""
    try:
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    except OSError:
        return False


def _owner(content: bytes) -> bytes:
    """The first line."""
    return b"".join(content.partition(b"\n")[:2])


_UNKNOWN = "other"


@cache
def _machine() -> str:
    """What processes have in common that see each other's numbers, since the machine was started."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return _UNKNOWN
