"""What all results have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

if TYPE_CHECKING:
    from plotnine import ggplot


@dataclass(frozen=True, eq=False, repr=False)
class Result(ABC):
    """Numbers in a tidy frame, which are summarised, drawn and saved.

    Attributes:
        data: the frame.
    """

    data: pd.DataFrame
    _name: ClassVar[str]  # of its files

    @abstractmethod
    def summary(self) -> pd.DataFrame:
        """The result in a few rows."""

    @abstractmethod
    def plot(self) -> ggplot:
        """The picture of the result."""

    @abstractmethod
    def _title(self) -> str:
        """What stands above the summary, when the result is printed."""

    def save(self, folder: str | PathLike[str]) -> list[Path]:
        """Write a CSV file with every bit of `data`, and `plot()` as a PNG, into `folder`, made where it is missing.

        Returns:
            The paths written. Each file appears whole or not at all.

        Raises:
            ValueError: nothing can be written there.
        """
        from pycompare.files import save_files
        from pycompare.plots import png

        csv = self.data.to_csv(index=False).encode()  # the shortest digits that give back the bits
        return save_files(folder, {f"{self._name}.csv": csv, f"{self._name}.png": png(self.plot())})

    def __repr__(self) -> str:
        return f"{self._title()}\n\n{self.summary().to_string(index=False)}"

    def _repr_png_(self) -> bytes:
        from pycompare.plots import png

        return png(self.plot())


class PathsResult(Result):
    """A result with paths of optimizers over maps, which can be shown as a film."""

    @abstractmethod
    def _film(self) -> dict[str, Any]:
        """The paths, and the names of what `animate_paths` asks of them."""

    def animate(self, file: str | PathLike[str], **options: Any) -> Path:
        """Write the paths, epoch by epoch, as a GIF or MP4; `fps` and `progress` are those of `animate_paths`."""
        from pycompare.plots.film import animate_paths

        return animate_paths(self.plot(), file=file, **self._film(), **options)
