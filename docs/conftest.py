"""The example is a project of its own; tests/parity/test_example.py runs a copy of it."""

collect_ignore = ["example"]
