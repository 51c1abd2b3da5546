"""Every plot: a tidy frame in, a ggplot out. No torch, no training."""

from pycompare.plots import _backend as _backend
from pycompare.plots.boundary import plot_boundary
from pycompare.plots.comparison import legend_labels, loss_limits, plot_comparison, plot_final
from pycompare.plots.ensembles import plot_ensembles
from pycompare.plots.image import image, png, retina
from pycompare.plots.parity import plot_parity
from pycompare.plots.paths import path_styles, plot_fit, plot_paths
from pycompare.plots.trajectory import CONTOUR_BREAKS, Bands, contour_bands, plot_trajectory

__all__ = [
    "CONTOUR_BREAKS",
    "Bands",
    "contour_bands",
    "image",
    "legend_labels",
    "loss_limits",
    "path_styles",
    "plot_boundary",
    "plot_comparison",
    "plot_ensembles",
    "plot_final",
    "plot_fit",
    "plot_parity",
    "plot_paths",
    "plot_trajectory",
    "png",
    "retina",
]
