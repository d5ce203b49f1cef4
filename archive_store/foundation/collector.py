"""Python's collector of cycles, set for a process that makes many rows at once.

As it comes it looks at every object that the process has each time a few thousand rows were made, which costs a large
import a fifth of its time. What is there once everything is imported stays, so it need not be looked at again.
"""

from __future__ import annotations

import gc

_NEW_OBJECTS, _OFTEN = 20_000, 20


def settle_collector() -> None:
    """Call once, when a process has loaded what it works with."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _OFTEN, _OFTEN)
