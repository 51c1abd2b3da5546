"""The graphs of docs/performance.md: `python benchmarks/plot.py FILE.json docs/images`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import plotnine as p9

OURS = "pycompare"
COLORS = {"pycompare": "#14375e", "others": "#e08a3c"}  # dark and light: apart in greyscale, too
SHAPES = {"pycompare": "o", "others": "D"}
FILLS = {"pycompare": "#14375e", "others": "white"}


def training_plot(rows: list[dict[str, Any]]) -> p9.ggplot:
    """Seconds of every contender, one panel a workload."""
    frame = _with_side(pd.DataFrame([row for row in rows if row["seconds"]]))
    order = list(dict.fromkeys(frame["contender"]))[::-1]
    frame["contender"] = pd.Categorical(frame["contender"], categories=order)
    frame["workload"] = pd.Categorical(frame["workload"], categories=list(dict.fromkeys(frame["workload"])))
    frame["low"] = [min(seconds) / share for seconds, share in zip(frame["seconds"], frame["share"], strict=True)]
    frame["high"] = [max(seconds) / share for seconds, share in zip(frame["seconds"], frame["share"], strict=True)]
    return (
        p9.ggplot(frame, p9.aes("contender", "median", color="side", shape="side", fill="side"))
        + p9.geom_linerange(p9.aes(ymin="low", ymax="high"), size=0.6)
        + p9.geom_point(size=2.4)
        + p9.facet_wrap("workload", ncol=2)
        + p9.scale_y_log10()
        + p9.coord_flip()
        + _scales()
        + p9.theme_minimal()
        + p9.theme(figure_size=(9, 13), legend_position="top")
        + p9.labs(x="", color="", shape="", fill="")
        + p9.labs(y="Seconds (median and range of the rounds), one thread except n_jobs=2")
    )


def scaling_plot(rows: list[dict[str, Any]]) -> p9.ggplot:
    """Seconds by size, one panel an axis, one line a contender."""
    frame = _with_side(pd.DataFrame([row for row in rows if row["seconds"]]))
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


def _with_side(frame: pd.DataFrame) -> pd.DataFrame:
    ours = frame["contender"].str.startswith(OURS)
    return frame.assign(side=pd.Categorical(ours.map({True: OURS, False: "others"}), categories=list(COLORS)))


def _scales() -> list[Any]:
    return [
        p9.scale_color_manual(COLORS),
        p9.scale_shape_manual(SHAPES),
        p9.scale_fill_manual(FILLS),
    ]


def main(source: Path, folder: Path) -> None:
    result = json.loads(source.read_text(encoding="utf-8"))
    training_plot(result["training"]).save(folder / "performance.png", dpi=120, verbose=False)
    scaling_plot(result["scaling"]).save(folder / "performance_scaling.png", dpi=120, verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
