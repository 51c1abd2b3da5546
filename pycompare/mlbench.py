"""mlbench's generators, by the name of R's package."""

from pycompare.data.mlbench import friedman1, friedman2, friedman3, spirals, waveform

__all__ = ["friedman1", "friedman2", "friedman3", "spirals", "waveform"]
