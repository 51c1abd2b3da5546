"""What the tabs have in common that show paths over a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from htmltools import Tag

MOMENTA = ("0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.85", "0.9", "0.93", "0.95", "0.97", "0.99")


def path_figures(surface: str, values: str, when: str) -> list[Tag]:
    """The places for a map, paths in a layer above it, a player, and values: what `drawPaths` in landscape.js fills.

    Arguments:
        surface, values: what these pictures are called.
        when: what the player counts, such as "Epoch".
    """
    from htmltools import tags

    player = tags.div(
        tags.button("Play", {"data-play": ""}, type="button"),
        tags.input({"data-until": ""}, type="range", min="0", max="1", step="1", value="1", aria_label=f"{when} shown"),
        tags.span({"data-now": ""}),
        class_="player",
    )
    below = tags.div({"data-figure": "surface"}, aria_hidden="true")
    above = tags.div({"data-figure": "map"}, role="img", aria_label=surface)
    return [
        tags.div(tags.div(below, above, class_="layers"), player, class_="played"),
        tags.div({"data-figure": "values"}, role="img", aria_label=values),
    ]
