"""Handwritten digits: what is shipped, and MNIST's files, whole, damaged, absent and fetched."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch

from pycompare import Split, digits_data
from pycompare.data import digits
from pycompare.data.idx import read_idx

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PIXELS = np.random.default_rng(1).integers(0, 256, (30, 28, 28), np.uint8)
DIGITS = (np.arange(30) * 7 % 10).astype(np.uint8)
FLOAT32 = 1e-6  # inputs are rounded to float32, by at most 6e-8 of values up to 4


def idx(array: Any) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


FILES = {IMAGES: idx(PIXELS), LABELS: idx(DIGITS)}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_the_shipped_digits_are_scikit_learn_s() -> None:
    """The digests are of its digits.csv.gz as bytes: the 64 pixels of every row, and its last column."""
    files = [Path(digits.__file__).with_name("optdigits") / f"{name}.gz" for name in digits._SOURCES["bundled"][:2]]
    arrays = [read_idx(file, dimensions) for file, dimensions in zip(files, (3, 1), strict=True)]
    assert [array.shape for array in arrays] == [(1797, 8, 8), (1797,)]
    assert [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays] == [
        "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
        "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0",
    ]


def test_the_default_is_what_is_shipped() -> None:
    split = digits_data()
    assert repr(split) == "Split(1000 train + 797 valid rows, inputs (64,), targets ())"
    assert [tensor.dtype for tensor in split.train.tensors] == [torch.float32, torch.int64]
    assert split.train.tensors[1][:12].tolist() == [*range(10), 0, 1]
    assert split.train.tensors[1].unique().tolist() == list(range(10))


def normalised(pixels: Any, n: int) -> Any:
    rows = pixels.reshape(len(pixels), -1).astype(float)
    return (rows - rows[:n].mean()) / rows[:n].std(ddof=1)


def check_against_files(split: Split, n: int, n_valid: int) -> None:
    x, y = (torch.cat(parts).numpy() for parts in zip(split.train.tensors, split.valid.tensors, strict=True))
    assert (len(split.train), len(split.valid), x.shape) == (n, n_valid, (n + n_valid, 784))
    assert np.array_equal(y, DIGITS[: n + n_valid])
    assert np.allclose(x, normalised(PIXELS[: n + n_valid], n), rtol=0, atol=FLOAT32)


@pytest.mark.parametrize("n", [1, 10, 25])
@pytest.mark.parametrize(
    "files",
    [
        FILES,
        {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()},
        {f"{name}.gz": content for name, content in FILES.items()},  # unpacked on the way, as by some browsers
        {IMAGES: FILES[IMAGES], f"{LABELS}.gz": gzip.compress(FILES[LABELS], mtime=0)},
    ],
    ids=["plain", "gz", "plain in name only", "one of each"],
)
def test_the_first_images_train_and_the_next_validate(files: dict[str, bytes], n: int, tmp_path: Path) -> None:
    check_against_files(digits_data("mnist", n=n, n_valid=5, folder=written(tmp_path, files)), n, 5)


@pytest.mark.parametrize("split", [digits_data(), digits_data(n=3, n_valid=1)], ids=repr)
def test_training_pixels_have_mean_0_and_deviation_1(split: Split) -> None:
    x = split.train.tensors[0].double()
    assert abs(x.mean()) < FLOAT32
    assert abs(x.std() - 1) < FLOAT32


def test_blank_training_images_are_not_divided(tmp_path: Path) -> None:
    pixels = np.full((2, 28, 28), 9, np.uint8)
    pixels[1] = 11
    written(tmp_path, {IMAGES: idx(pixels), LABELS: idx(DIGITS[:2])})
    split = digits_data("mnist", n=1, n_valid=1, folder=tmp_path)
    assert split.train.tensors[0].unique().tolist() == [0]
    assert split.valid.tensors[0].unique().tolist() == [2]


PACKED = gzip.compress(FILES[LABELS], mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, b"", r"must begin with 00 00 08 03, .*; got nothing\. Fetch it anew"),
        (IMAGES, FILES[LABELS], r"must begin with 00 00 08 03, .*; got 00 00 08 01"),
        (LABELS, b"\0\0\x0d\x01" + FILES[LABELS][4:], r"must begin with 00 00 08 01, .*; got 00 00 0d 01"),
        (LABELS, FILES[LABELS][:6], r"must have a header of 8 bytes; got 6"),
        (LABELS, FILES[LABELS][:-1], r"must have 38 bytes, as its header says \(30\); got 37"),
        (LABELS, FILES[LABELS] + b"\0\0", r"must have 38 bytes, as its header says \(30\); got 40"),
        (IMAGES, FILES[IMAGES][:-1], r"must have 23536 bytes, as its header says \(30 x 28 x 28\); got 23535"),
        (IMAGES, FILES[IMAGES][:4] + b"\xff" * 12, r"must have 79228162458924105385300197391 bytes, .*; got 16"),
        (LABELS, PACKED[:-9], r"must be a whole gzip file; got Compressed file ended"),
        (LABELS, PACKED[:15] + b"\xff\xff" + PACKED[17:], r"must be a whole gzip file; got Error -3"),
        (LABELS, PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], r"must be a whole gzip file; got CRC check failed"),
        (IMAGES, idx(PIXELS[:, 1:]), r"must hold images of 28 x 28 pixels; got 27 x 28"),
        (LABELS, idx(DIGITS[1:]), r"must hold a label for each of the 30 images; got 29"),
        (LABELS, idx(DIGITS + np.uint8(3)), r"must hold digits from 0 to 9; got 10 in place 2\."),
    ],
)
def test_a_damaged_file_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    folder = written(tmp_path, FILES | {name: content})
    with pytest.raises(ValueError, match=f"{name}' {message}"):
        digits_data("mnist", n=10, n_valid=5, folder=folder)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"source": "MNIST"}, ValueError, "`source` must be one of bundled, mnist; got 'MNIST'"),
        ({"n": 1001}, ValueError, "`n` and `n_valid` must be at most 1797 together; got 1001 and 797"),
        ({"n_valid": 798}, ValueError, "`n` and `n_valid` must be at most 1797 together; got 1000 and 798"),
        ({"n": 0}, ValueError, "`n` must be at least 1; got 0"),
        ({"n": "5"}, TypeError, "`n` must be a whole number; got '5'"),
        ({"n_valid": 2.5}, ValueError, r"`n_valid` must be a whole number; got 2\.5"),
        ({"folder": "."}, ValueError, r"`folder` must be left out for bundled digits; got '\.'"),
        ({"source": "mnist", "folder": 5}, TypeError, "`folder` must be a path; got 5"),
        (
            {"source": "mnist", "folder": "not_here"},
            FileNotFoundError,
            f"`folder` must hold {IMAGES} and {LABELS}, .*; got 'not_here', which lacks {IMAGES} and {LABELS}",
        ),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        digits_data(**arguments)


def test_only_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"which lacks {LABELS}\\. Put them there"):
        digits_data("mnist", folder=written(tmp_path, {IMAGES: FILES[IMAGES]}))


class _Recording(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A mirror of the synthetic files, test files among them, and an empty cache; gives the paths asked for so far."""
    served, cache = tmp_path / "served", tmp_path / "cache"
    served.mkdir()
    packed = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()}
    written(served, packed | {"t10k-images-idx3-ubyte.gz": b"", "t10k-labels-idx1-ubyte.gz": b""})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Recording, directory=str(served))) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("PYCOMPARE_CACHE", str(cache))
        monkeypatch.setattr(digits, "_MIRROR", f"http://127.0.0.1:{server.server_port}/")
        md5 = {name.removesuffix(".gz"): hashlib.md5(content).hexdigest() for name, content in packed.items()}
        monkeypatch.setattr(digits, "_MD5", md5)
        yield server.asked  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_the_training_files_are_fetched_once(mirror: list[str]) -> None:
    for _ in range(2):
        check_against_files(digits_data("mnist", n=10, n_valid=20), 10, 20)
    assert mirror == [f"/{IMAGES}.gz", f"/{LABELS}.gz"]


def test_files_put_into_the_cache_are_not_fetched(mirror: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache" / "mnist").mkdir(parents=True)
    written(tmp_path / "cache" / "mnist", {IMAGES: FILES[IMAGES]})
    check_against_files(digits_data("mnist", n=10, n_valid=20), 10, 20)
    assert mirror == [f"/{LABELS}.gz"]


@pytest.mark.parametrize(
    ("attribute", "value", "cause"),
    [
        ("_MIRROR", "http://127.0.0.1:1/", "Connection refused"),
        ("_MD5", {IMAGES: "0" * 32, LABELS: "0" * 32}, "hash"),
    ],
)
def test_what_cannot_be_fetched_can_be_put_there(
    attribute: str, value: Any, cause: str, mirror: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, attribute, value)
    place = tmp_path / "cache" / "mnist"
    message = f"must find {IMAGES} and {LABELS}, plain or as .gz, in '{place}', .*Put them there, .*{cause}"
    with pytest.raises(FileNotFoundError, match=f"(?s){message}"):
        digits_data("mnist")
    assert list(place.iterdir()) == []
    written(place, FILES)
    check_against_files(digits_data("mnist", n=10, n_valid=20), 10, 20)
