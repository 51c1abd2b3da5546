"""The optimizer exercises of an R torch course in Python, with R torch's bits. Public names load when first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
