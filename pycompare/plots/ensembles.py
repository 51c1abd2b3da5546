"""The error of ensembles by their size."""

from __future__ import annotations

import pandas as pd
import plotnine as p9

from pycompare.plots.axes import short_numbers, words


def plot_ensembles(ensembles: pd.DataFrame) -> p9.ggplot:
    """The error by ensemble size on a log axis, with a band of one standard error; dashed is plain evaluation.

    Arguments:
        ensembles: columns passes (0 is plain evaluation), error and standard_error, which is NaN of a single ensemble.
    """
    if ensembles["error"].isna().all():
        return words("Without targets no error is known.\nPass them as y.")
    means = ensembles[ensembles["passes"] > 0].assign(shown="dropout active")
    band = means.assign(low=means["error"] - means["standard_error"], high=means["error"] + means["standard_error"])
    plain = ensembles[ensembles["passes"] == 0].assign(shown="plain evaluation")
    edges = p9.aes("passes", ymin="low", ymax="high")
    return (
        p9.ggplot(means, p9.aes("passes", "error", color="shown", linetype="shown"))
        + p9.geom_ribbon(edges, band.dropna(), inherit_aes=False, fill="#9ecae1", alpha=0.6)
        + p9.geom_hline(p9.aes(yintercept="error", color="shown", linetype="shown"), plain)
        + (p9.geom_line() if len(means) > 1 else [])
        + p9.geom_point(size=2, show_legend=False)
        + p9.scale_x_log10(breaks=means["passes"].tolist(), minor_breaks=[], labels=short_numbers)
        + p9.scale_linetype_manual({"dropout active": "solid", "plain evaluation": "dashed"})
        + p9.scale_color_manual({"dropout active": "#08519c", "plain evaluation": "black"})
        + p9.theme_bw()
        + p9.theme(figure_size=(6, 4), panel_grid_minor=p9.element_blank(), legend_key_width=26)
        + p9.labs(x="Passes an ensemble", y="Error (%), band of one standard error", color="", linetype="")
    )
