"""Machine code in memory: an object file, as LLVM writes it, laid out and linked to functions of this process.

LLVM's own linker (llvmlite's) does the same in 0.06 s and 47 MiB, where training the course's network takes 0.03 s.
The names are those of "System V Application Binary Interface", its chapters on object files and on x86-64.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SECTION = np.dtype(
    [
        *(("name", "u4"), ("type", "u4"), ("flags", "u8"), ("addr", "u8"), ("offset", "u8"), ("size", "u8")),
        *(("link", "u4"), ("info", "u4"), ("addralign", "u8"), ("entsize", "u8")),
    ]
)
_SYMBOL = np.dtype(
    [("name", "u4"), ("info", "u1"), ("other", "u1"), ("section", "u2"), ("value", "u8"), ("size", "u8")]
)
_RELOCATION = np.dtype([("offset", "u8"), ("type", "u4"), ("symbol", "u4"), ("addend", "i8")])
_WRITABLE, _ALLOCATED = 1, 2
_SYMBOL_TABLE, _RELOCATIONS = 2, 4
# Of relocations: how many bytes are filled in, and whether relative to their place. LLVM writes the first two for code
# that may lie anywhere, as numba asks for; the others reach 2 GiB.
_ABSOLUTE_64, _RELATIVE_64, _RELATIVE_32, _CALL_32 = 1, 24, 2, 4
_KINDS = {_ABSOLUTE_64: (8, False), _RELATIVE_64: (8, True), _RELATIVE_32: (4, True), _CALL_32: (4, True)}


class UnlinkableError(Exception):
    """Machine code that cannot be linked here."""


class LinkedCode:
    """An object file in memory that can be run, for as long as this object lives.

    Arguments:
        code: the file.
        address_of: of each function that it names and does not have.
    """

    def __init__(self, code: bytes, address_of: Callable[[str], int]) -> None:
        count = int.from_bytes(code[60:62], "little")
        self._code, self._sections = code, np.frombuffer(code, _SECTION, count, int.from_bytes(code[40:48], "little"))
        self._starts, size = self._layout()
        self._memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        for i, start in self._starts.items():
            content = self._content(self._sections[i])
            self._memory[start : start + len(content)] = content
        self._addresses = self._named_addresses(address_of)
        self._relocate()
        self._protect()

    def __getitem__(self, name: str) -> int:
        """The address of a function in it."""
        return self._addresses[self._names.index(name)]

    def _layout(self) -> tuple[dict[int, int], int]:
        """Where each section that is to be in memory starts, and where the last one ends."""
        starts, end = {}, 0
        for i in np.flatnonzero(self._sections["flags"] & _ALLOCATED).tolist():
            if self._sections["flags"][i] & _WRITABLE:
                raise UnlinkableError("code with variables of its own")
            alignment = max(1, int(self._sections["addralign"][i]))
            starts[i] = -(-end // alignment) * alignment
            end = starts[i] + int(self._sections["size"][i])
        return starts, end

    def _content(self, section: Any) -> bytes:
        return self._code[int(section["offset"]) : int(section["offset"] + section["size"])]

    def _rows(self, section: Any, kind: np.dtype[Any]) -> NDArray[Any]:
        return np.frombuffer(self._content(section), kind)

    def _named_addresses(self, address_of: Callable[[str], int]) -> list[int]:
        """Of each symbol, in the table's order, where it is."""
        (table,) = self._sections[self._sections["type"] == _SYMBOL_TABLE]
        names, symbols = self._content(self._sections[table["link"]]), self._rows(table, _SYMBOL)
        self._names = [names[start : names.index(b"\0", start)].decode() for start in symbols["name"].tolist()]
        places = zip(self._names, symbols["section"].tolist(), symbols["value"].tolist(), strict=True)
        return [
            self._base + self._starts[section] + value if section in self._starts else address_of(name)
            for name, section, value in places
        ]

    def _relocate(self) -> None:
        for section in self._sections[self._sections["type"] == _RELOCATIONS]:
            start = self._starts.get(int(section["info"]))
            for offset, kind, symbol, addend in () if start is None else self._rows(section, _RELOCATION).tolist():
                if kind not in _KINDS:
                    raise UnlinkableError(f"relocations of type {kind}")
                (size, is_relative), place = _KINDS[kind], start + offset
                value = self._addresses[symbol] + addend - is_relative * (self._base + place)
                try:
                    self._memory[place : place + size] = value.to_bytes(size, "little", signed=value < 0)
                except OverflowError:
                    raise UnlinkableError("code that must lie near what it calls") from None

    def _protect(self) -> None:
        """Let the code be run, and no longer written to."""
        size = ctypes.c_size_t(len(self._memory))
        if ctypes.CDLL(None).mprotect(ctypes.c_void_p(self._base), size, mmap.PROT_READ | mmap.PROT_EXEC):
            raise UnlinkableError("a system that runs no code made at run time")
