"""Laboratories: each computes a tidy frame, carries it in a frozen dataclass, and draws it in `pycompare.plots`."""
