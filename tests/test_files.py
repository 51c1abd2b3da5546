from __future__ import annotations

from pathlib import Path

import pytest

from pycompare import files


def _save(folder: Path) -> list[Path]:
    return files.save_files(folder, {"result.csv": b"a,b\n1,2\n", "result.png": b"picture"})


@pytest.mark.parametrize("place", ["file.txt", "file.txt/below"])
def test_a_folder_that_cannot_be_written_is_one_clear_error(place: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ValueError, match=r"`folder` must be a folder that can be written; got .*Name another"):
        files.check_writable(tmp_path / place)


def test_asking_whether_a_folder_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "result.csv").mkdir()
    with pytest.raises(ValueError, match=r"`folder` must be a folder that can be written; got .*Is a directory"):
        _save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["result.csv"]


def test_an_interrupt_while_writing_keeps_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv, _ = _save(tmp_path)
    before = csv.read_bytes()

    def interrupted(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _save(tmp_path)
    assert csv.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`html` must be a file; got .*which is a folder. Name a file in it"):
        files.check_writable_file(tmp_path, name="html")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "/home/me/.cache/pycompare"),
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/pycompare"),
        ({"XDG_CACHE_HOME": "/caches", "PYCOMPARE_CACHE": "/ours"}, "/ours"),
        ({"XDG_CACHE_HOME": "", "PYCOMPARE_CACHE": ""}, "/home/me/.cache/pycompare"),
    ],
)
def test_the_cache(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "PYCOMPARE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/me"} | variables).items():
        monkeypatch.setenv(name, value)
    assert files.cache_folder() == Path(expected)


@pytest.mark.parametrize(
    ("path", "expected"), [("~/a", "/home/me/a"), ("a~", "a~"), ("~no-such-user/a", "~no-such-user/a")]
)
def test_a_tilde_is_a_home_where_there_is_one(path: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert files.expanded(path) == Path(expected)
