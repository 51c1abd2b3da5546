"""Is it the same as R? R in a process of its own, how far apart two trajectories are, and what a machine reproduces.

Public names load when first used: `RSession` brings pandas, `mkl_kernels` torch; the pytest plugin neither.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
