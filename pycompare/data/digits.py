"""Handwritten digits, to be told apart by their pixels: a small set that is shipped, and MNIST from its files."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from pycompare.calls import recorded
from pycompare.checks import one_of, whole_number
from pycompare.data.idx import file_error, read_idx
from pycompare.data.split import Split
from pycompare.files import cache_folder, expanded

Bytes = NDArray[np.uint8]
Folder = str | PathLike[str]


class _Source(NamedTuple):
    images: str
    labels: str
    side: int
    n: int
    n_valid: int


_SOURCES = {
    "bundled": _Source("images-idx3-ubyte", "labels-idx1-ubyte", side=8, n=1000, n_valid=797),
    "mnist": _Source("train-images-idx3-ubyte", "train-labels-idx1-ubyte", side=28, n=5000, n_valid=10_000),
}
# A mirror that torchvision fetches from, and the checksums by which it knows the files.
_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
}


@recorded
def digits_data(
    source: str = "bundled",
    *,
    n: int | None = None,
    n_valid: int | None = None,
    folder: Folder | None = None,
) -> Split:
    """Handwritten digits: the first `n` images train, the next `n_valid` validate, in the order of the file.

    x = (pixel - mean) / sd, with one mean and one standard deviation (of n - 1) over all pixels of the training images,
    which so have mean 0 and standard deviation 1.

    Arguments:
        source: "bundled", 1,797 images of 8 x 8 pixels that are shipped with this package; or "mnist", the 60,000
            training images of MNIST, 28 x 28. MNIST's test files are never read.
        n: training images, 1 or more; default 1,000, of MNIST 5,000.
        n_valid: validation images, 1 or more; default 797, of MNIST 10,000.
        folder: for MNIST, where train-images-idx3-ubyte and train-labels-idx1-ubyte lie, plain or as .gz; by default
            `mnist` in `$PYCOMPARE_CACHE` or `~/.cache/pycompare`, into which they are fetched once, 10 MB.

    Returns:
        Inputs float32, (n, 64) or (n, 784), row by row of the image; targets int64, (n,), the digits 0 to 9.

    Raises:
        FileNotFoundError: MNIST's files are not there, nor to be fetched.
        TypeError: an argument is of another kind.
        ValueError: there are fewer images than asked for, or a file is damaged.

    Sources: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (CC BY 4.0), as in scikit-learn;
    Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits.

    >>> from pycompare import digits_data
    >>> digits_data()
    Split(1000 train + 797 valid rows, inputs (64,), targets ())
    """
    known = _SOURCES[one_of("source", source, _SOURCES)]
    n = whole_number("n", known.n if n is None else n, at_least=1)
    n_valid = whole_number("n_valid", known.n_valid if n_valid is None else n_valid, at_least=1)
    images, labels = _images_and_labels(_bundled(folder) if source == "bundled" else _mnist(folder), known)
    if n + n_valid > len(images):
        raise ValueError(
            f"`n` and `n_valid` must be at most {len(images)} together; got {n} and {n_valid}. Choose fewer."
        )
    greys = _normalised(images[:n])
    train, valid = (
        TensorDataset(torch.from_numpy(greys[images[rows]]), torch.from_numpy(labels[rows].astype(np.int64)))
        for rows in (slice(n), slice(n, n + n_valid))
    )
    return Split(train, valid)


def _normalised(pixels: Bytes) -> NDArray[np.float32]:
    """What each of the 256 greys becomes: mean and variance of whole numbers, each rounded once."""
    counts, grey = np.bincount(pixels.reshape(-1), minlength=256), np.arange(256)
    n, total, squares = pixels.size, int(counts @ grey), int(counts @ grey**2)
    sd = math.sqrt((n * squares - total**2) / (n * (n - 1)))
    # Where all pixels are equal they are not divided, as by `Split.standardized`.
    return ((grey - total / n) / (sd or 1.0)).astype(np.float32)


def _images_and_labels(folder: Path, known: _Source) -> tuple[Bytes, Bytes]:
    """Return the images, a row each, and their digits."""
    images_file, labels_file = (_found(folder, name)[0] for name in (known.images, known.labels))
    images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
    count, *shape = images.shape
    if shape != [known.side, known.side]:
        raise file_error(images_file, f"hold images of {known.side} x {known.side} pixels", "{} x {}".format(*shape))
    if len(labels) != count:
        raise file_error(labels_file, f"hold a label for each of the {count} images", len(labels))
    if (labels > 9).any():
        row = int(np.argmax(labels > 9))
        raise file_error(labels_file, "hold digits from 0 to 9", f"{labels[row]} in place {row + 1}")
    return images.reshape(count, -1), labels


def _bundled(folder: Folder | None) -> Path:
    if folder is not None:
        raise ValueError(f"`folder` must be left out for bundled digits; got {folder!r}. Choose source='mnist'.")
    return Path(__file__).with_name("optdigits")


def _mnist(folder: Folder | None) -> Path:
    """Return the folder that has MNIST's files: the user's, or ours, with what was missing there fetched."""
    if not isinstance(folder, str | PathLike | None):
        raise TypeError(f"`folder` must be a path; got {folder!r}. Name the folder of MNIST's files.")
    place = cache_folder() / "mnist" if folder is None else expanded(folder)
    missing = [name for name in _MD5 if not _found(place, name)]
    if folder is None:
        for name in missing:
            _fetch(name, place)
    elif missing:
        raise FileNotFoundError(
            f"`folder` must hold {' and '.join(_MD5)}, plain or as .gz; got {str(folder)!r}, which lacks"
            f" {' and '.join(missing)}. Put them there, or leave `folder` out to have them fetched."
        )
    return place


def _found(folder: Path, name: str) -> list[Path]:
    return [file for file in (folder / name, folder / f"{name}.gz") if file.is_file()]


def _fetch(name: str, folder: Path) -> None:
    import pooch

    try:
        pooch.retrieve(f"{_MIRROR}{name}.gz", f"md5:{_MD5[name]}", f"{name}.gz", folder)
    except (OSError, ValueError) as cause:
        raise FileNotFoundError(
            f"`source='mnist'` must find {' and '.join(_MD5)}, plain or as .gz, in {str(folder)!r}, or fetch them;"
            " they are not there, and fetching them failed. Put them there, or name the folder that has them as"
            f" `folder`. ({cause})"
        ) from cause
