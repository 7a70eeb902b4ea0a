"""Checks a seed, which numpy and torch would refuse late and in their own words."""

from __future__ import annotations

from numbers import Integral

from .errors import SettingsError


def check_seed(seed: int) -> None:
    """Raises SettingsError for a seed that not every generator of random numbers takes."""
    if not (isinstance(seed, Integral) and 0 <= seed < 2**32):
        raise SettingsError(f"The seed cannot be {seed}: give a whole number from 0 to {2**32 - 1}.")
