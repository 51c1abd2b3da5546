"""The graphs and tables of docs/performance.md: `python benchmarks/plot.py FILE.json docs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import plotnine as p9
from tables import Rows, with_tables

OURS = "pycompare"
COLORS = {"pycompare": "#14375e", "others": "#e08a3c"}  # dark and light: apart in greyscale, too
SHAPES = {"pycompare": "o", "others": "D"}
FILLS = {"pycompare": "#14375e", "others": "white"}


def contenders_plot(rows: Rows) -> p9.ggplot:
    """Seconds of every contender, fastest first, one panel a workload."""
    frame = _measured(rows)
    order = frame.groupby("contender")["median"].median().sort_values(ascending=False).index
    frame["contender"] = pd.Categorical(frame["contender"], categories=order)
    shares = list(zip(frame["seconds"], frame["share"], strict=True))
    frame["low"], frame["high"] = ([end(seconds) / share for seconds, share in shares] for end in (min, max))
    frame["label"] = [f"{seconds:.3g}" for seconds in frame["median"]]
    panels = frame["workload"].nunique()
    return (
        p9.ggplot(frame, p9.aes("median", "contender", color="side", shape="side", fill="side"))
        + p9.geom_segment(p9.aes(x="low", xend="high", yend="contender"), size=0.6)
        + p9.geom_point(size=2.4)
        + p9.geom_text(p9.aes(label="label"), nudge_y=0.32, size=8, color="#333333")
        + p9.facet_wrap("workload", ncol=1, scales="free_y")
        + p9.scale_x_log10()
        + _scales()
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 0.6 + 3.6 * panels), legend_position="top")
        + p9.labs(y="", color="", shape="", fill="")
        + p9.labs(x="Seconds (median and range of the rounds), one thread except n_jobs=2")
    )


def batch_size_plot(rows: Rows) -> p9.ggplot:
    """How many times as long as the fastest every contender takes for the large network, by batch size."""
    frame = _measured(rows)
    frame["batch_size"] = frame["workload"].astype(str).str.extract(r"(\d+)$", expand=False).astype(int)
    frame["slower"] = frame["median"] / frame.groupby("batch_size")["median"].transform("min")
    order = frame.groupby("contender")["slower"].median().sort_values().index
    frame["contender"] = pd.Categorical(frame["contender"], categories=order)
    return (
        p9.ggplot(frame, p9.aes("batch_size", "slower", color="side", shape="side", fill="side"))
        + p9.geom_hline(yintercept=1, linetype="dotted")
        + p9.geom_line()
        + p9.geom_point(size=2)
        + p9.facet_wrap("contender", ncol=3)
        + p9.scale_x_log10(breaks=[16, 128, 1024], labels=lambda breaks: [f"{size:g}" for size in breaks])
        + p9.scale_y_log10(labels=lambda breaks: [f"{times:g}" for times in breaks])
        + _scales()
        + p9.theme_minimal()
        + p9.theme(figure_size=(8, 7), legend_position="top")
        + p9.labs(x="Batch size", y="Times as long as the fastest", color="", shape="", fill="")
    )


def scaling_plot(rows: Rows) -> p9.ggplot:
    """Seconds by size, one panel an axis, one line a contender."""
    frame = _measured(rows)
    frame["axis"] = pd.Categorical(frame["axis"], categories=list(dict.fromkeys(frame["axis"])))
    return (
        p9.ggplot(frame, p9.aes("size", "median", color="side", shape="side", fill="side", linetype="contender"))
        + p9.geom_line()
        + p9.geom_point(size=2.2)
        + p9.facet_wrap("axis", ncol=2, scales="free")
        + p9.scale_x_log10(labels=lambda breaks: [f"{size:g}" for size in breaks])
        + p9.scale_y_log10()
        + _scales()
        + p9.theme_minimal()
        + p9.theme(figure_size=(9, 7), legend_position="top", legend_box="vertical")
        + p9.labs(x="", y="Seconds, one thread", color="", shape="", fill="", linetype="")
    )


def _measured(rows: Rows) -> pd.DataFrame:
    """The rows that have a time, in the order in which they were measured, and whose they are."""
    frame = pd.DataFrame([row for row in rows if row["seconds"]])
    frame["workload"] = pd.Categorical(frame["workload"], categories=list(dict.fromkeys(frame["workload"])))
    ours = frame["contender"].str.startswith(OURS)
    return frame.assign(side=pd.Categorical(ours.map({True: OURS, False: "others"}), categories=list(COLORS)))


def _scales() -> list[Any]:
    return [p9.scale_color_manual(COLORS), p9.scale_shape_manual(SHAPES), p9.scale_fill_manual(FILLS)]


def plots(result: dict[str, Any]) -> dict[str, p9.ggplot]:
    """Those whose part of `result` has been measured, by the name of their file."""
    course = result.get("course", [])
    first, others = [], []
    for row in course:
        (first if row["workload"] == course[0]["workload"] else others).append(row)
    drawn = {
        "performance.png": (contenders_plot, first),
        "performance_sweeps.png": (contenders_plot, others),
        "performance_batch_size.png": (batch_size_plot, result.get("large")),
        "performance_scaling.png": (scaling_plot, result.get("scaling")),
    }
    return {name: draw(rows) for name, (draw, rows) in drawn.items() if rows}


def main(source: Path, docs: Path) -> None:
    result = json.loads(source.read_text(encoding="utf-8"))
    for name, plot in plots(result).items():
        plot.save(docs / "images" / name, dpi=120, verbose=False)
    page = docs / "performance.md"
    page.write_text(with_tables(page.read_text(encoding="utf-8"), result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
