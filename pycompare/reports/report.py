"""Results as one HTML file that needs nothing beside it: tables, and plots as pictures within."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from importlib.metadata import version
from importlib.resources import files

import jinja2
import pandas as pd
from plotnine import ggplot

from pycompare.plots import png


def html_report(title: str, introduction: str, table: pd.DataFrame, plots: Iterable[tuple[str, ggplot]]) -> str:
    """An HTML page: a title, a paragraph, a table, and under a caption each one of `plots`.

    Arguments:
        title, introduction: plain text; the page escapes it.
        table: shown without its index.
        plots: (caption, plot) pairs.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(files("pycompare.reports").joinpath("report.html").read_text(encoding="utf-8"))
    return template.render(
        title=title,
        introduction=introduction,
        columns=table.columns.tolist(),
        rows=table.to_numpy().tolist(),
        pictures=[(caption, base64.b64encode(png(plot)).decode()) for caption, plot in plots],
        version=version("pycompare-rtorch"),
    )
