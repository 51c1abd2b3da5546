"""A report as one HTML page that needs nothing beside it, no network and no script."""

from __future__ import annotations

import base64
import struct
from importlib.metadata import version
from importlib.resources import files
from itertools import count

import jinja2

from pycompare.reports.report import Picture, Report, cells

_DOTS_A_POINT = 1.5  # pictures have 150 dots an inch, screens show 100


def html_page(report: Report) -> str:
    """The page; it escapes all text."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["of_kind"] = lambda part, kind: type(part).__name__ == kind
    environment.filters.update(base64=_base64, size=_size, cells=cells)
    template = environment.from_string(files("pycompare.reports").joinpath("report.html").read_text(encoding="utf-8"))
    return template.render(report=report, version=version("pycompare-rtorch"), number=count(1).__next__)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _size(picture: Picture) -> str:
    """The attributes width and height of a PNG, as screens show it."""
    if picture.kind != "png":
        return ""
    width, height = struct.unpack(">II", picture.content[16:24])
    return f" width={round(width / _DOTS_A_POINT)} height={round(height / _DOTS_A_POINT)}"
