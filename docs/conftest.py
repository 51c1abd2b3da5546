"""The example is a project of its own; tests/parity/test_example.py runs a copy of it. tests/docs runs the course."""

collect_ignore = ["course", "example"]
