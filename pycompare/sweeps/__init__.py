"""Several trainings: an argument that is a list makes the comparison."""
