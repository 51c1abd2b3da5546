"""Films: paths over maps, drawn by matplotlib on top of a still picture, and boundaries, a picture an epoch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import matplotlib.animation
import numpy as np
import pandas as pd
import plotnine as p9
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox, IdentityTransform, TransformedBbox
from PIL.Image import Dither

from pycompare.checks import whole_number
from pycompare.files import check_writable_file, expanded
from pycompare.plots.boundary import plot_boundary
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
    """A figure that shows the maps and legends of `plot` as an image; for each path a line, its epochs and pixels.

    To draw the whole plot again for each picture would take ten times as long.
    """
    drawn = on_any_backend(plot.draw)
    still = still_layers(plot)
    for artist in itertools.chain.from_iterable(axes.collections + list(axes.lines) for axes in drawn.axes):
        artist.set_visible(artist.get_zorder() in still)
    film = Figure(drawn.get_size_inches(), dpi=_DPI)
    film.figimage(_pixels(drawn))
    panels = pd.MultiIndex.from_product([paths[name].unique() for name in facets]) if facets else None
    names = paths["config"] if "config" in paths else pd.Series("path", index=paths.index)
    styles = dict(zip(names.unique(), path_styles(names.nunique()), strict=True))
    finite = np.isfinite(paths[[x, y]]).all(axis=1)
    lines = []
    for key, points in paths[finite].groupby([*facets, names.rename("config")], sort=False):
        axes = drawn.axes[0 if panels is None else panels.get_loc(key[:-1])]
        colour, dashes, mark = styles[key[-1]]
        line = Line2D([], [], color=colour, linestyle=dashes, linewidth=1.4, marker=mark, markersize=6)
        line.set_clip_box(TransformedBbox(Bbox(axes.get_position()), film.transFigure))
        film.add_artist(line)
        line.set_transform(IdentityTransform())
        lines.append((line, points["epoch"].to_numpy(), axes.transData.transform(points[[x, y]])))
    return film, lines


def _pixels(drawn: Figure) -> np.ndarray[Any, np.dtype[np.uint8]]:
    drawn.set_dpi(_DPI)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _thinned(epochs: pd.Series[int]) -> list[int]:
    every = sorted(epochs.unique())
    step = -(-len(every) // _MOST_FRAMES)
    return [int(epoch) for epoch in (*every[:-1:step], every[-1])]
