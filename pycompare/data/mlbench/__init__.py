"""The data generators of R's mlbench 2.1, on R's random numbers."""

from pycompare.data.mlbench.clouds import hypercube, normals_2d, ringnorm, simplex, threenorm, twonorm, waveform
from pycompare.data.mlbench.figures import cassini, circle, cuboids, shapes, smiley, spirals, xor
from pycompare.data.mlbench.problem import Classification, Regression
from pycompare.data.mlbench.regression import friedman1, friedman2, friedman3, peak

__all__ = [
    "Classification",
    "Regression",
    "cassini",
    "circle",
    "cuboids",
    "friedman1",
    "friedman2",
    "friedman3",
    "hypercube",
    "normals_2d",
    "peak",
    "ringnorm",
    "shapes",
    "simplex",
    "smiley",
    "spirals",
    "threenorm",
    "twonorm",
    "waveform",
    "xor",
]
