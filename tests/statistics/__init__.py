"""Statistics for decisions."""
