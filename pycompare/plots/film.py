"""Films: paths over maps and gradients on a network, drawn by matplotlib on top of a still picture, and boundaries, a
picture an epoch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import matplotlib.animation
import numpy as np
import pandas as pd
import plotnine as p9
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox, IdentityTransform, TransformedBbox
from PIL.Image import Dither

from pycompare.checks import whole_number
from pycompare.files import check_writable_file, expanded
from pycompare.plots.boundary import plot_boundary
from pycompare.plots.gradients import (
    SHADES,
    ZERO,
    Layers,
    has_colour,
    is_chain,
    log_limits,
    network_marks,
    network_notes,
    plot_network,
)
from pycompare.plots.image import on_any_backend
from pycompare.plots.paths import path_styles, still_layers
from pycompare.progress import progress_bar

_MOST_FRAMES, _DPI, _COLOURS = 120, 100, 256
_HOLD = 12  # frames that the last picture stays
_WRITERS = {".gif": "pillow", ".mp4": "ffmpeg"}


def animate_paths(
    plot: p9.ggplot,
    paths: pd.DataFrame,
    file: str | PathLike[str],
    *,
    x: str,
    y: str,
    facets: Sequence[str] = (),
    fps: int = 15,
    progress: bool = True,
) -> Path:
    """Write a film in which the paths grow, epoch by epoch.

    Arguments:
        plot: of the same paths, as `plot_paths` draws it.
        paths: columns epoch, x, y; config, if several lie on one map; and `facets`.
        file: where to; .gif, or .mp4 where ffmpeg is installed. It appears whole or not at all.
        x, y: the names of the coordinates.
        facets: the columns of rows and columns of maps, in this order.
        fps: pictures a second, 1 or more. More than 120 epochs are thinned out.
        progress: show a bar on a terminal or in a notebook.

    Returns:
        The path of the file.

    Raises:
        ValueError: `file` has another ending, cannot be written, or needs ffmpeg, which is missing.
    """
    path, writer = _opened(file, fps)
    film, lines = _film(plot, paths, x, y, facets)

    def show(epoch: int) -> None:
        for line, epochs, pixels in lines:
            shown = pixels[epochs <= epoch]
            line.set_data(*shown.T)
            line.set_markevery([max(0, len(shown) - 1)])

    return _write(path, writer, film, _thinned(paths["epoch"]), show, progress)


def animate_boundary(
    boundary: pd.DataFrame,
    points: pd.DataFrame,
    file: str | PathLike[str],
    *,
    fps: int = 5,
    progress: bool = True,
) -> Path:
    """Write a film of `plot_boundary`'s pictures, epoch by epoch.

    Arguments:
        boundary, points: as in `plot_boundary`; boundary has a column epoch.
        file, fps, progress, and what is returned and raised: as in `animate_paths`.
    """
    path, writer = _opened(file, fps)
    epochs = _thinned(boundary["epoch"])

    def picture(epoch: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return _pixels(on_any_backend(plot_boundary(boundary, points, epoch=epoch).draw))

    height, width, _ = (first := picture(epochs[0])).shape
    film = Figure((width / _DPI, height / _DPI), dpi=_DPI)
    image = film.figimage(first)
    return _write(path, writer, film, epochs, lambda epoch: image.set_data(picture(epoch)), progress)


def animate_network(
    data: pd.DataFrame, layers: Layers, file: str | PathLike[str], *, fps: int = 15, progress: bool = True
) -> Path:
    """Write a film of a network, step by step, a panel for each configuration, as `plot_network` draws it.

    Arguments:
        data: columns config, seed, step, parameter, gradient; of several seeds the median is shown.
        layers: as in `plot_network`.
        file, fps, progress: as in `animate_paths`; more than 120 steps are thinned out.

    Returns:
        The path of the file.

    Raises:
        ValueError: as `animate_paths`, or the network is no chain of linear layers.
    """
    path, writer = _opened(file, fps)
    norms = data.groupby(["step", "config", "parameter"], sort=False)["gradient"].median()
    if not (is_chain(layers) and has_colour(norms).any()):
        raise ValueError("`network` must be a chain of linear layers whose gradients are not all 0 to make a film.")
    limits = log_limits(norms)
    one = data[data["step"] == data["step"].min()].assign(gradient=limits[1])
    drawn, film = _background(plot_network(one, layers, facet="config", limits=limits) + network_notes(data, norms))
    title = film.text(0.98, 0.98, "", va="top", ha="right")
    parts = {
        (config, parameter): artist
        for config, axes in zip(data["config"].unique(), drawn.axes, strict=False)
        for parameter, artist in _network_artists(film, axes, layers)
    }
    colour = ScalarMappable(LogNorm(*limits), LinearSegmentedColormap.from_list("", SHADES)).to_rgba

    def show(step: int) -> None:
        title.set_text(f"step = {step}")
        for key, artist in parts.items():
            norm = norms.get((step, *key), np.nan)
            artist.set_visible(bool(np.isfinite(norm)))
            _paint(artist, colour(norm) if norm > 0 else None)

    return _write(path, writer, film, _thinned(data["step"]), show, progress)


def _opened(file: str | PathLike[str], fps: int) -> tuple[Path, matplotlib.animation.AbstractMovieWriter]:
    path = expanded(file)
    return path, film_writer(path, whole_number("fps", fps, at_least=1))


def _write(
    path: Path,
    writer: matplotlib.animation.AbstractMovieWriter,
    film: Figure,
    epochs: Sequence[int],
    show: Callable[[int], object],
    progress: bool,
) -> Path:
    """Write a picture of `film` for each of `epochs`, after `show` has changed it; the last one stays."""
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            progress_bar(len(epochs), unit="picture", show=progress, description=path.name) as bar,
            writer.saving(film, str(partial), dpi=_DPI),
        ):
            for epoch in epochs:
                show(epoch)
                writer.grab_frame()
                bar.update()
            for _ in range(_HOLD):
                writer.grab_frame()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def film_writer(path: Path, fps: int = 1) -> matplotlib.animation.AbstractMovieWriter:
    """What writes films of this kind, or one clear error where `path` has another ending or cannot be written."""
    name = _WRITERS.get(path.suffix.lower())
    if name is None:
        raise ValueError(f"`file` must end in .gif or .mp4; got {path.name!r}. Call it e.g. paths.gif.")
    if not matplotlib.animation.writers.is_available(name):
        raise ValueError(f"`file` must end in .gif without {name}; got {path.name!r}. Install {name}, or write a .gif.")
    check_writable_file(path)
    return _OnePalette(fps=fps) if name == "pillow" else matplotlib.animation.writers[name](fps=fps)


class _OnePalette(matplotlib.animation.PillowWriter):
    """Writes GIFs whose pictures share the colours of the last one: a fifth of the size, and no flicker."""

    _frames: list[Any]

    def finish(self) -> None:
        if not self._frames:
            return
        palette = self._frames[-1].quantize(_COLOURS)
        first, *rest = (frame.quantize(palette=palette, dither=Dither.NONE) for frame in self._frames)
        duration = round(1000 / self.fps)
        first.save(self.outfile, save_all=True, append_images=rest, duration=duration, loop=0)


def _film(
    plot: p9.ggplot, paths: pd.DataFrame, x: str, y: str, facets: Sequence[str]
) -> tuple[Figure, list[tuple[Line2D, np.ndarray[Any, Any], np.ndarray[Any, Any]]]]:
    """A figure that shows the maps and legends of `plot` as an image; for each path a line, its epochs and pixels."""
    drawn, film = _background(plot)
    panels = list(itertools.product(*(paths[name].unique() for name in facets)))
    names = paths["config"] if "config" in paths else pd.Series("path", index=paths.index)
    styles = dict(zip(names.unique(), path_styles(names.nunique()), strict=True))
    finite = np.isfinite(paths[[x, y]]).all(axis=1)
    lines = []
    for key, points in paths[finite].groupby([*facets, names.rename("config")], sort=False):
        axes = drawn.axes[panels.index(key[:-1])]
        colour, dashes, mark = styles[key[-1]]
        line = Line2D([], [], color=colour, linestyle=dashes, linewidth=1.4, marker=mark, markersize=6)
        _add(film, axes, line)
        lines.append((line, points["epoch"].to_numpy(), axes.transData.transform(points[[x, y]])))
    return film, lines


def _background(plot: p9.ggplot) -> tuple[Figure, Figure]:
    """`plot`, drawn, and a figure that shows what does not move in it as an image.

    To draw the whole plot again for each picture would take ten times as long.
    """
    drawn = on_any_backend(plot.draw)
    still = still_layers(plot)
    for artist in itertools.chain.from_iterable(axes.collections + list(axes.lines) for axes in drawn.axes):
        artist.set_visible(artist.get_zorder() in still)
    film = Figure(drawn.get_size_inches(), dpi=_DPI)
    film.figimage(_pixels(drawn))
    return drawn, film


def _add(film: Figure, axes: Axes, artist: Line2D | LineCollection) -> None:
    """Let `artist`, whose places are pixels, move within a panel of the film."""
    artist.set_clip_box(TransformedBbox(Bbox(axes.get_position()), film.transFigure))
    film.add_artist(artist)
    artist.set_transform(IdentityTransform())


def _network_artists(film: Figure, axes: Axes, layers: Layers) -> Iterator[tuple[str, Line2D | LineCollection]]:
    """For each weight its lines, for each bias its units."""
    lines, units = network_marks(layers)
    for parameter, part in lines.groupby("parameter", sort=False):
        ends = [axes.transData.transform(part[end]) for end in (["x", "y"], ["xend", "yend"])]
        edges = LineCollection([*np.stack(ends, axis=1)], linewidths=1.2)
        _add(film, axes, edges)
        yield str(parameter), edges
    for parameter, part in units.groupby("parameter", sort=False):
        places = axes.transData.transform(part[["x", "y"]])
        circles = Line2D(*places.T, linestyle="", marker="o", markersize=9, markeredgecolor="black")
        _add(film, axes, circles)
        yield str(parameter), circles


def _paint(artist: Line2D | LineCollection, colour: Any) -> None:
    """`colour`, or where it is None what stands for a gradient of 0."""
    if isinstance(artist, Line2D):
        artist.set_markerfacecolor("white" if colour is None else colour)
    else:
        artist.set_color(ZERO if colour is None else colour)
        artist.set_linestyle("dotted" if colour is None else "solid")


def _pixels(drawn: Figure) -> np.ndarray[Any, np.dtype[np.uint8]]:
    drawn.set_dpi(_DPI)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _thinned(epochs: pd.Series[int]) -> list[int]:
    every = sorted(epochs.unique())
    step = -(-len(every) // _MOST_FRAMES)
    return [int(epoch) for epoch in (*every[:-1:step], every[-1])]
