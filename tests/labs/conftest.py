"""What a plot shows, once it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import plotnine as p9
import pytest
from matplotlib.text import Text


@dataclass(frozen=True)
class Drawn:
    """The words of a drawn plot, in their order, and the limits of its axes (all facets have the same)."""

    words: list[str]
    x: tuple[float, float]
    y: tuple[float, float]

    def those(self, *words: str) -> list[str]:
        """Those of `words` that are shown, in the order in which they are."""
        return [word for word in self.words if word in words]


@pytest.fixture
def draw() -> Callable[[p9.ggplot], Drawn]:
    """Draws a plot, and returns what was `Drawn`."""

    def drawn(plot: p9.ggplot) -> Drawn:
        figure = plot.draw()
        words = [text.get_text() for text in figure.findobj(Text) if text.get_text()]
        ((x, y),) = {(tuple(map(float, axes.get_xlim())), tuple(map(float, axes.get_ylim()))) for axes in figure.axes}
        return Drawn(words, x, y)

    return drawn
