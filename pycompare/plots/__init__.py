"""Every plot: a tidy frame in, a ggplot out. No torch, no training."""

from pycompare.plots import _backend as _backend
from pycompare.plots.boundary import plot_boundary
from pycompare.plots.comparison import legend_labels, loss_limits, plot_comparison, plot_final
from pycompare.plots.ensembles import plot_ensembles
from pycompare.plots.gap import plot_gap
from pycompare.plots.gradients import plot_gradient_map, plot_network
from pycompare.plots.image import image, png, retina
from pycompare.plots.layers import plot_activations, plot_gradients
from pycompare.plots.lr_range import plot_lr_range
from pycompare.plots.parity import plot_parity
from pycompare.plots.paths import path_styles, plot_fit, plot_paths
from pycompare.plots.points import plot_points
from pycompare.plots.schedules import plot_schedule
from pycompare.plots.seeds import plot_over_seeds, plot_paired
from pycompare.plots.trajectory import CONTOUR_BREAKS, Bands, contour_bands, plot_trajectory
from pycompare.plots.tuning import plot_group, plot_path

__all__ = [
    "CONTOUR_BREAKS",
    "Bands",
    "contour_bands",
    "image",
    "legend_labels",
    "loss_limits",
    "path_styles",
    "plot_activations",
    "plot_boundary",
    "plot_comparison",
    "plot_ensembles",
    "plot_final",
    "plot_fit",
    "plot_gap",
    "plot_gradient_map",
    "plot_gradients",
    "plot_group",
    "plot_lr_range",
    "plot_network",
    "plot_over_seeds",
    "plot_paired",
    "plot_parity",
    "plot_path",
    "plot_paths",
    "plot_points",
    "plot_schedule",
    "plot_trajectory",
    "png",
    "retina",
]
