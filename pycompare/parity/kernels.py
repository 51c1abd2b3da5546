"""Which bits this machine's matrix products have. See `pycompare.training.kernels`, where trainings ask, too."""

from pycompare.training.kernels import mkl_kernels, mkl_lane

__all__ = ["mkl_kernels", "mkl_lane"]
