"""Offline verification of an exported audit history, from `audit/FORMAT.md` alone.

It shares no code with the writer: nothing of the store is imported here, and nothing of the store imports this. Worker
processes import the package, so it stays empty.
"""
