"""`python -m pycompare` is `pycompare`."""

from pycompare.cli import main

main()
