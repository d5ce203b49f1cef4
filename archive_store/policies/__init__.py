"""Replacing the school's policies by new versions, as operations that the principal decides."""
