"""What all results have in common."""

from __future__ import annotations

import base64
import html
import io
import json
import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from inspect import getdoc
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from pycompare.calls import Call
from pycompare.checks import one_of

if TYPE_CHECKING:
    from plotnine import ggplot

    from pycompare.reports.report import Report
    from pycompare.reports.told import Told

FORMATS = ("png", "pdf", "svg")
_SETTINGS, _LAYOUT = "settings.json", 1  # the file beside the data, and the number of what is written in it
_PACKAGES = {"pycompare": "pycompare-rtorch", "torch": "torch", "numpy": "numpy", "pandas": "pandas"}


@dataclass(frozen=True, eq=False, repr=False)
class Result(ABC):
    """Numbers in a tidy frame, which are summarised, drawn and saved.

    Attributes:
        data: the frame.
        call: what made it; None for what was not made by a function of pycompare.
    """

    data: pd.DataFrame
    call: Call | None = field(default=None, repr=False, kw_only=True)
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

    def _words(self) -> str:
        """What stands below it: sentences, a line each; none unless a result has something to say."""
        return ""

    def _settings(self) -> dict[str, Any]:
        """What made the result, for `settings.json`: its fields, unless a result knows better."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.repr and field.name != "data"}
        return {"arguments": {name: value for name, value in told.items() if not isinstance(value, pd.DataFrame)}}

    def save(self, folder: str | PathLike[str], formats: Sequence[str] = ("png",)) -> list[Path]:
        """Write data, pictures and settings into `folder`, made where it is missing.

        A CSV file has every bit of `data`; `settings.json` has, under the result's name, what made it: arguments and
        versions, and what cannot be put into JSON as text. Both are there before anything is drawn.

        Arguments:
            folder: where to.
            formats: of the pictures: any of "png", "pdf", "svg", or none.

        Returns:
            The paths written: data, pictures, settings. Each file appears whole or not at all.

        Raises:
            TypeError, ValueError: `formats` is something else, or nothing can be written there.
        """
        from pycompare.files import expanded, save_files

        kinds = _checked_formats(formats)
        csv = self.data.to_csv(index=False).encode()  # the shortest digits that give back the bits
        said = {"title": self._title(), "words": self._words(), "summary": self.summary().to_dict("records")}
        said["alt"] = self._alt()
        told = {"call": self.call and asdict(self.call), "told": said, "pictures": kinds}
        kept = _sections(expanded(folder)) | {self._name: _plain(self._all_settings() | told)}
        written = json.dumps(kept, indent=2, ensure_ascii=False).encode()
        data, settings = save_files(folder, {f"{self._name}.csv": csv, _SETTINGS: written})
        return [data, *save_files(folder, {f"{self._name}.{kind}": self._drawn(kind) for kind in kinds}), settings]

    def report(self, file: str | PathLike[str]) -> Path:
        """Write picture, words, tables, settings, data, and the code that makes it again, as one document.

        Arguments:
            file: where to. A .html file has everything within and needs neither network nor scripts; a .md file has
                pictures and data in a folder beside it; a .ipynb file has the code in cells, and their outputs.

        Returns:
            The path written.

        Raises:
            ValueError: the file ends in something else, or nothing can be written there.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> from pycompare import optimize_rosenbrock
            >>> with TemporaryDirectory() as folder:
            ...     optimize_rosenbrock(50, 0.01, 0.9).report(f"{folder}/descent.html").name
            'descent.html'
        """
        from pycompare.reports.told import report_of, report_of_all
        from pycompare.reports.writing import check_report_file, write_report

        check_report_file(file)
        chapters = self._chapters()
        report = report_of_all(self._title(), chapters) if len(chapters) > 1 else report_of(*chapters)
        return write_report(report, file)

    def _chapters(self) -> list[Told]:
        """What a report says of it: one chapter, unless a result has parts."""
        from pycompare.reports.report import Picture
        from pycompare.reports.told import Told

        settings: Mapping[str, Any] = _plain(self._all_settings())
        told = (self._name, self._title(), self._words(), self.summary(), self.data, settings)
        return [Told(*told, picture=Picture(self._drawn("png"), "png", self._alt()), call=self.call)]

    def _alt(self) -> str:
        """What the picture shows, for who cannot see it: what `plot` says that it draws."""
        told = (getdoc(type(self).plot) or "").partition("\n\n")[0]
        return f"{self._title().splitlines()[0]}. {' '.join(told.replace('`', '').split())}".strip()

    def _all_settings(self) -> dict[str, Any]:
        return {"layout": _LAYOUT, "versions": _versions()} | self._settings()

    def _drawn(self, kind: str) -> bytes:
        from pycompare.plots import image

        return image(self.plot(), kind)

    def __repr__(self) -> str:
        parts = (self._title(), self.summary().to_string(index=False), self._words())
        return "\n\n".join(part for part in parts if part)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a notebook shows: the picture at the size of `plot()`, sharp on any screen, and the summary below."""
        from pycompare.plots import retina

        picture, size = retina(self.plot())
        coded = base64.b64encode(picture).decode()
        shown = f'<img src="data:image/png;base64,{coded}" width="{size["width"]}" height="{size["height"]}">'
        table = self.summary().to_html(index=False, border=0)
        title, said = (html.escape(text).replace("\n", "<br>") for text in (self._title(), self._words()))
        page = f"<div>{shown}<p>{title}</p>{table}{said and f'<p>{said}</p>'}</div>"
        bundle = {"image/png": picture, "text/html": page, "text/plain": repr(self)}
        wanted = {kind for kind in bundle if (not include or kind in include) and kind not in (exclude or ())}
        return {kind: bundle[kind] for kind in bundle if kind in wanted}, {"image/png": size}


class PathsResult(Result):
    """A result with paths of optimizers over maps, which can be shown as a film."""

    @abstractmethod
    def _film(self) -> dict[str, Any]:
        """The paths, and the names of what `animate_paths` asks of them."""

    def animate(self, file: str | PathLike[str], **options: Any) -> Path:
        """Write the paths, epoch by epoch, as a GIF or MP4; `fps` and `progress` are those of `animate_paths`."""
        from pycompare.plots.film import animate_paths

        return animate_paths(self.plot(), file=file, **self._film(), **options)


def read_saved(folder: str | PathLike[str], name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The data and the settings of the result `name`, as `Result.save` wrote them into `folder`.

    Raises:
        FileNotFoundError: one of its files is not there.
        ValueError: they are another program's, or a newer pycompare's.
    """
    from pycompare.files import expanded

    place = expanded(folder)
    for file in (f"{name}.csv", _SETTINGS):
        if not (place / file).is_file():
            raise FileNotFoundError(f"`folder` must hold {file}; got {str(place)!r}, where it is not. Check the path.")
    settings = _sections(place).get(name)
    if not isinstance(settings, dict) or not isinstance(settings.get("layout"), int):
        raise _foreign(place, _SETTINGS, f"has no settings of a {name}")
    if settings["layout"] > _LAYOUT:
        raise ValueError(
            f"`folder` must be written by this version of pycompare or an older one; got {str(place)!r}, written by"
            f" {settings.get('versions', {}).get('pycompare')}. Install that version."
        )
    try:
        return pd.read_csv(io.BytesIO((place / f"{name}.csv").read_bytes())), settings
    except (ValueError, pd.errors.ParserError) as cause:
        raise _foreign(place, f"{name}.csv", f"cannot be read: {cause}") from cause


def saved_call(settings: Mapping[str, Any]) -> Call | None:
    """The call that settings tell of, as `save` wrote them."""
    return Call(**settings["call"]) if settings.get("call") else None


def folder_report(folder: str | PathLike[str]) -> Report:
    """A report of all results that `save` wrote into `folder` and the folders in it, with the pictures that are there.

    Raises:
        ValueError: there are none, or they are a newer pycompare's.
    """
    from pycompare.files import expanded
    from pycompare.reports.told import report_of, report_of_all

    top = expanded(folder)
    places = {file.parent: _results_in(file.parent) for file in sorted(top.rglob(_SETTINGS))}
    chapters = [_saved_chapter(top, place, name) for place, names in places.items() for name in names]
    if not chapters:
        raise ValueError(
            f"`folder` must hold what save() wrote; got {str(top)!r}, where no result is."
            " Save one: result.save(folder)."
        )
    return report_of_all(f"Results in {top.resolve().name}", chapters) if len(chapters) > 1 else report_of(*chapters)


def _results_in(place: Path) -> list[str]:
    """The names of the results in a folder."""
    known = {name: told for name, told in _sections(place).items() if isinstance(told, dict)}
    return [name for name, told in known.items() if "layout" in told and (place / f"{name}.csv").is_file()]


def _saved_chapter(top: Path, place: Path, name: str) -> Told:
    from pycompare.reports.report import Picture
    from pycompare.reports.told import Told

    data, settings = read_saved(place, name)
    said = {"title": name, "words": "", "summary": [], "alt": f"The plot of {name}"} | settings.get("told", {})
    files = [place / f"{name}.{kind}" for kind in settings.get("pictures", ()) if kind in ("svg", "png")]
    drawn = [Picture(file.read_bytes(), file.suffix[1:], said["alt"]) for file in files if file.is_file()]
    within = "" if place == top else f"{place.relative_to(top).as_posix()}: "
    title, summary = f"{within}{said['title']}", pd.DataFrame(said["summary"])
    picture = next(iter(drawn), None)
    return Told(name, title, said["words"], summary, data, settings, picture=picture, call=saved_call(settings))


def _foreign(place: Path, file: str, why: str) -> ValueError:
    return ValueError(f"`folder` must hold what save() wrote; got {str(place)!r}, whose {file} {why}. Save it again.")


def _sections(folder: Path) -> dict[str, Any]:
    """The settings in `folder`, by the name of their result; none where the file is missing or another program's."""
    try:
        read = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _checked_formats(formats: Sequence[str]) -> list[str]:
    if isinstance(formats, str) or not isinstance(formats, Sequence):
        raise TypeError(f'`formats` must be a list of formats; got {formats!r}. Pass e.g. ("png", "pdf").')
    return [one_of("formats", kind, FORMATS, "Choose of these.") for kind in dict.fromkeys(formats)]


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: _version(package) for name, package in _PACKAGES.items()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: a function by its full name, what is neither number nor text as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)
