import os

import pytest

from labsupport.pipeline.files import remove, remove_leftovers, write_together


def test_write_together_writes_all_or_none(tmp_path):
    old, absent = tmp_path / "old", tmp_path / "no folder" / "new"
    old.write_text("old")
    with pytest.raises(FileNotFoundError, match="no folder/new'"):
        write_together({old: "new", absent: "new"})
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_write_together_keeps_the_mode_of_a_file(tmp_path):
    path = tmp_path / "x"
    path.touch()
    path.chmod(0o640)
    write_together({path: "new"})
    assert path.stat().st_mode & 0o777 == 0o640


def test_write_together_makes_the_renames_last(tmp_path, monkeypatch):
    synced = []

    def fsync(handle):
        synced.append((os.readlink(f"/proc/self/fd/{handle}"), sorted(os.listdir(tmp_path))))

    monkeypatch.setattr(os, "fsync", fsync)
    write_together({tmp_path / "x": "new"})
    assert synced[-1] == (str(tmp_path), ["x"])


def test_leftovers_of_a_killed_write_are_removed_and_nothing_else(tmp_path):
    for name in (".new-abc", ".hidden", "new-page.md"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "new-page.md"]


def test_remove_leaves_what_a_link_points_to(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").touch()
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    remove(tmp_path / "link")
    remove(tmp_path / "nowhere")
    assert (tmp_path / "outside/precious").exists()
    assert not (tmp_path / "link").exists()
