"""Runs on disk: settings, weights and statistics, of which a repeated call computes only what is missing."""
