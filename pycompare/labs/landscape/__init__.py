"""How optimizers walk over a map of the loss: of one neuron, and of any network on a plane through its parameters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
