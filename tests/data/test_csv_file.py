"""CSV files as training and validation sets."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pycompare import Split
from pycompare.data.csv_file import read_columns

X = np.arange(20.0).reshape(10, 2) / 7
Y = np.arange(10.0) / 3
GOOD = pd.DataFrame(X, columns=["a", "b"]).assign(target=Y).to_csv(index=False)


def same(ours: Split, theirs: Split) -> bool:
    pairs = zip((*ours.train.tensors, *ours.valid.tensors), (*theirs.train.tensors, *theirs.valid.tensors), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, GOOD)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.csv", GOOD.encode()),
        ("data.csv", GOOD.encode("utf-8-sig")),
        ("data.csv", GOOD.replace("\n", "\r\n").encode()),
        ("data.csv", b"\n  \n" + GOOD.encode()),
        ("data.csv", GOOD.replace("\n", "\n\n").encode()),
        ("data.csv", GOOD.replace(",", ", ").encode()),
        ("data.csv.gz", gzip.compress(GOOD.encode())),
        ("data.csv.bz2", bz2.compress(GOOD.encode())),
        ("data.csv.xz", lzma.compress(GOOD.encode())),
        ("data.zip", zipped("data.csv")),
        ("Unnamed_sensor.csv", GOOD.replace("a,b", "Unnamed_sensor,Unnamed: 0").encode()),
        ("quoted.csv", GOOD.replace("a,b", '"a, in\nmetres","b"').encode()),
    ],
)
def test_files_of_all_kinds(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert same(Split.from_csv(tmp_path / name, seed=3), Split.from_arrays(X, Y, seed=3))


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data.csv").write_text(GOOD)
    assert same(Split.from_csv("~/data.csv"), Split.from_arrays(X, Y))


@pytest.mark.parametrize(
    "stdin", [io.TextIOWrapper(io.BytesIO(GOOD.encode())), io.StringIO(GOOD)], ids=["bytes", "text"]
)
def test_standard_input(stdin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    assert same(Split.from_csv("-"), Split.from_arrays(X, Y))


@pytest.mark.parametrize("file", [io.StringIO(GOOD), io.BytesIO(GOOD.encode())], ids=["text", "bytes"])
def test_open_files(file: Any) -> None:
    assert same(Split.from_csv(file), Split.from_arrays(X, Y))


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="needs /dev/fd")
def test_pipes() -> None:
    code = "from pycompare import Split; print(Split.from_csv('/dev/stdin'))"
    ran = subprocess.run([sys.executable, "-c", code], input=GOOD, capture_output=True, text=True, check=True)
    assert ran.stdout == "Split(7 train + 3 valid rows, inputs (2,), targets (1,))\n"


def test_the_target_by_name() -> None:
    columns = read_columns(io.StringIO(GOOD), "a")
    assert np.array_equal(columns.targets, X[:, 0])
    assert np.array_equal(columns.inputs, np.column_stack([X[:, 1], Y]))
    assert same(Split.from_csv(io.StringIO(GOOD), target="target"), Split.from_csv(io.StringIO(GOOD)))


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        (["setosa", " virginica ", "setosa", "iris"], [1, 2, 1, 0]),
        (["b", "a", "C", "a"], [2, 1, 0, 1]),
        (["True", "False", "True", "True"], [1, 0, 1, 1]),
        (["3", "1", "1", "7"], [3, 1, 1, 7]),
    ],
)
def test_classes_are_coded_in_sorted_order(cells: list[str], codes: list[int]) -> None:
    text = "x,class\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    assert read_columns(io.StringIO(text)).targets.tolist() == codes


def test_numbers_are_rounded_as_python_rounds_them() -> None:
    rng = np.random.default_rng(5)
    texts = [f"{value:.25e}" for value in rng.normal(size=3000) * 10.0 ** rng.integers(-300, 300, 3000)]
    columns = read_columns(io.StringIO("a,b\n" + "".join(f"{text},{i}\n" for i, text in enumerate(texts))))
    assert columns.inputs[:, 0].tolist() == [float(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'bad.csv' is empty"),
        ("\n\n", "'bad.csv' is empty"),
        ("a,b\n", "must have rows below its header; 'bad.csv' has none"),
        ("1,2\n2,3\n3,4\n", "with a header; 'bad.csv' begins with numbers"),
        (",a,b\n1,2,3\n2,3,4\n", "must have a name for every column; 'bad.csv' has none for column 1"),
        ("a, ,b\n1,2,3\n2,3,4\n", "must have a name for every column; 'bad.csv' has none for column 2"),
        ("a\n1\n2\n", "must have at least two columns, one of them the target; 'bad.csv' has 1"),
        ("a;b\n1;2\n2;3\n", "must have at least two columns"),
        ("a,b\n1,2,3\n2,3,4\n", "must have a name for every column, .* has 2 names and in row 1 3 values"),
        ("a,b\n1,2\n\n3,4,5\n", "'bad.csv' has 2 names and in row 2 3 values"),
        ("a,b,c\n1,2\n2,3\n", "'bad.csv' has 3 names and in row 1 2 values"),
        ("a,b,c\n1,2,3\n2,3\n", "must have a value in every row; 'bad.csv' has none in column 'c', row 2"),
        ("a,group\n1,2\n3,x\n", "must hold numbers; 'bad.csv' has text in column 'group', row 2. Correct"),
        ("a,group\nx,2\n3,1\n", "must hold numbers; 'bad.csv' has text in column 'a', row 1. Correct"),
        ("a,b\n1,2\n3,\n", "must have a value in every row; 'bad.csv' has none in column 'b', row 2"),
        ("a,b\n1,u\n3,NA\n", "must have a value in every row; 'bad.csv' has none in column 'b', row 2"),
        ("a,b\n1,2\ninf,3\n", "must hold finite numbers; 'bad.csv' has an infinite one in column 'a', row 2"),
        ("a,b\n1,2\n1e400,3\n", "must hold finite numbers; 'bad.csv' has an infinite one in column 'a', row 2"),
        ("a,b\n1_000,2\n1,3\n", "must hold numbers; 'bad.csv' has text in column 'a', row 1"),
        ("a,b\n1+2j,2\n1,3\n", "must hold numbers; 'bad.csv' has text in column 'a', row 1"),
        ("a,b\n2024-01-01,2\n2024-01-02,3\n", "must hold numbers; 'bad.csv' has text in column 'a', row 1"),
        ('a,b\n1,"2\n3,4\n', "'bad.csv' has 2 names and in row 1|cannot be read"),
        ("x" * 200_000 + ",b\n1,2\n", "'bad.csv' cannot be read: field larger than field limit"),
    ],
)
def test_what_is_wrong_is_named_by_file_column_and_row(text: str, message: str) -> None:
    file = io.StringIO(text)
    file.name = "bad.csv"  # type: ignore[misc]
    with pytest.raises(ValueError, match=message):
        Split.from_csv(file)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "data.csv.gz",
            gzip.compress(GOOD.encode())[:-20],
            "whole .gz file; .*data.csv.gz' cannot be unpacked",
        ),
        ("data.csv.gz", b"junk", "must be a whole .gz file"),
        ("data.csv.bz2", bz2.compress(GOOD.encode())[:-9], "must be a whole .bz2 file"),
        ("data.csv.xz", lzma.compress(GOOD.encode())[:-9], "must be a whole .xz file"),
        ("data.zip", b"junk", "must be a whole .zip file; .*data.zip' cannot be unpacked: File is not a zip file"),
        ("data.zip", zipped("a.csv", "b.csv"), "it holds 2 files, not one"),
        ("data.zip", zipped(), "it holds 0 files, not one"),
        ("data.csv", GOOD.encode("utf-16"), "must be UTF-8 text; .*data.csv' is not"),
        ("data.csv", b"a,b\n1,caf\xe9\n", "must be UTF-8 text; .*data.csv' is not"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Split.from_csv(tmp_path / name)


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        ("none.csv", {}, FileNotFoundError, "`data` must name a CSV file; got 'none.csv', which is not there"),
        (".", {}, FileNotFoundError, r"`data` must name a CSV file; got '.', which is a folder"),
        (None, {}, TypeError, "`data` must be a path, '-' or an open file; got None"),
        (b"data.csv", {}, TypeError, "`data` must be a path, '-' or an open file; got b'data.csv'"),
        (X, {}, TypeError, "`data` must be a path, '-' or an open file"),
        (
            io.StringIO(GOOD),
            {"target": "c"},
            ValueError,
            r"must name one column of .*; got 'c'. Choose of \['a'",
        ),
        (io.StringIO(GOOD), {"target": 2}, TypeError, "`target` must be the name of a column; got 2"),
        (io.StringIO("a,a,b\n1,2,3\n"), {"target": "a"}, ValueError, "`target` must name one column"),
    ],
)
def test_wrong_arguments(source: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Split.from_csv(source, **options)


def test_a_home_that_is_not_there_is_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"`data` must name a CSV file; got '~nobody-has-this-name/a\.csv'"):
        Split.from_csv("~nobody-has-this-name/a.csv")
