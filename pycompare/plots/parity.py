"""Two sides of a comparison with R."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotnine as p9

from pycompare.plots.axes import whole_breaks, words

_COLORS = ("#7fbfd4", "#14375e", "#b5482f")  # of the left side, the right one and their distance
_SIZES = (2.0, 0.6, 0.6)  # the left side shows as a rim of the right one


def plot_parity(
    data: pd.DataFrame, *, step: str, by: Sequence[str] = (), sides: tuple[str, str] = ("left", "right")
) -> p9.ggplot:
    """Both sides of every compared column over `step`, and below them their distance in ulps, from 0.

    Arguments:
        data: the `data` of a `pycompare.parity.ParityReport`. Without rows, the picture says so.
        step: the column on the horizontal axis.
        by: columns that tell apart the runs in `data`, each a line of its own.
        sides: what the legend calls the left side and the right one.
    """
    if data.empty:
        return words(f"The two sides have no row in common.\nCheck the values of {', '.join([*by, step])} on both.")
    curves = data.astype({"left": float, "right": float}).melt(
        id_vars=[*by, step, "column"], value_vars=["left", "right", "ulps"], var_name="side", value_name="number"
    )
    distance = curves["side"] == "ulps"
    panels = curves["column"].where(~distance, "distance of " + curves["column"] + " in ulps")
    names = data["column"].unique()
    order = [*names, *(f"distance of {name} in ulps" for name in names)]
    legend = (*sides, "distance")
    called = dict(zip(("left", "right", "ulps"), legend, strict=True))
    curves = curves.assign(
        side=pd.Categorical(curves["side"].map(called), categories=legend),
        panel=pd.Categorical(panels, categories=order),
        line=curves[[*by, "side"]].astype(str).agg(" ".join, axis=1),
    )
    alone = curves.groupby(["panel", "line"], observed=True)[step].transform("size") == 1
    return (
        p9.ggplot(curves, p9.aes(step, "number", color="side", size="side", group="line"))
        + p9.geom_line(data=curves[~alone], na_rm=True)
        + p9.geom_point(data=curves[alone], na_rm=True)
        + p9.geom_blank(p9.aes(step, "number"), data=_from_zero(curves, distance, step), inherit_aes=False)
        + p9.facet_wrap("panel", scales="free_y", ncol=len(names))
        + (p9.scale_x_continuous(breaks=whole_breaks) if pd.api.types.is_integer_dtype(data[step]) else [])
        + p9.scale_color_manual(values=dict(zip(legend, _COLORS, strict=True)))
        + p9.scale_size_manual(values=dict(zip(legend, _SIZES, strict=True)))
        + p9.labs(x=step, y="", color="", size="")
        + p9.theme_bw()
        + p9.theme(figure_size=(2 + 2.8 * len(names), 5), panel_grid_minor=p9.element_blank())
    )


def _from_zero(curves: pd.DataFrame, distance: pd.Series[bool], step: str) -> pd.DataFrame:
    """Points that are not drawn, so that the axis of each distance goes from 0 to 1 or further."""
    first = curves[distance].drop_duplicates("panel")[[step, "panel"]]
    return pd.concat([first.assign(number=0.0), first.assign(number=1.0)])
