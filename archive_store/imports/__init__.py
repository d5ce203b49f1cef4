"""Rosters (花名册) from files: read, checked row by row, and entered."""
