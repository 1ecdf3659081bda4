"""Importing much at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No look for garbage meanwhile: modules are none, and it would take a sixth of the time to start a process."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
