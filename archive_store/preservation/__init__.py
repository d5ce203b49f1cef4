"""Keeping what is filed: legal holds, disposal when its time has run out, locks, and whether files are complete."""
