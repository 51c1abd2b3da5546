"""What R draws, and the sets that are made of it."""
