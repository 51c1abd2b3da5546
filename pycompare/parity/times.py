"""R's dates, times and time differences as numpy's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

CLASSES = (("Date",), ("POSIXct", "POSIXt"), ("difftime",))
UNITS = {"secs": 1, "mins": 60, "hours": 3600, "days": 86400, "weeks": 604800}  # in seconds
MOST_SECONDS = 2**63 / 1e9  # that nanoseconds in 64 bits hold


def as_times(classes: Sequence[str], values: npt.NDArray[np.float64], units: str) -> npt.NDArray[Any]:
    """Return the numbers of an R vector of one of `CLASSES`, NaN where missing, as what they mean.

    A Date, which counts days, becomes datetime64[D]; a POSIXct, which counts seconds, datetime64[ns] in UTC; a difftime
    in `units` timedelta64[ns]; what a double holds beyond nanoseconds is rounded.

    Raises TypeError for infinity, for fractions of a Date, and for times that nanoseconds in 64 bits do not hold.
    """
    if "Date" in classes:
        return _whole("days", values).astype("datetime64[D]")
    return _nanoseconds(values, UNITS[units]).astype("datetime64[ns]" if "POSIXct" in classes else "timedelta64[ns]")


def _whole(what: str, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    missing = np.isnan(values)
    known = np.where(missing, 0.0, values)
    if not np.all((known == np.floor(known)) & (np.abs(known) < 2**53)):
        raise TypeError(f"R's value must have a Python form; got fractions of {what}, or infinity. Unclass it in R.")
    return np.where(missing, np.iinfo(np.int64).min, known.astype(np.int64))  # which numpy reads as NaT


def _nanoseconds(values: npt.NDArray[np.float64], unit: int) -> npt.NDArray[np.int64]:
    missing = np.isnan(values)
    known = np.where(missing, 0.0, values) * unit
    if not np.all(np.abs(known) < MOST_SECONDS):
        raise TypeError("R's value must have a Python form; got a time beyond 292 years from 1970. Unclass it in R.")
    whole = np.floor(known)
    nanoseconds = whole.astype(np.int64) * 10**9 + np.rint((known - whole) * 1e9).astype(np.int64)
    return np.where(missing, np.iinfo(np.int64).min, nanoseconds)
