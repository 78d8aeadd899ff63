import contextlib
import errno
import multiprocessing
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from torch import nn

from labsupport.checkpoints import CheckpointError, load_layers, save_layers


def make_model(value=0.0, *, hidden_features=3):
    """Two layers whose parameters all equal `value`."""
    model = nn.Sequential(
        nn.Linear(2, hidden_features), nn.Sigmoid(), nn.Linear(hidden_features, 1)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model


def value_of(model):
    """Return the one number that all parameters equal; fail if they don't."""
    values = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert (values == values[0]).all()
    return values[0].item()


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of a model whose parameters are all 1, in a folder with nothing else."""
    save_layers(make_model(1.0), tmp_path / "moons")
    return tmp_path / "moons"


def visible(folder):
    """Return what is in a folder, but for the lock that writers leave there."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def refuse_to_load(folder, message, model=None):
    """Check the error, and that the model in memory is what it was."""
    model = make_model(7.0) if model is None else model
    before = value_of(model)
    with pytest.raises(CheckpointError, match=message):
        load_layers(model, folder)
    assert value_of(model) == before


def test_layers_have_a_file_each_and_come_back_bit_for_bit(tmp_path):
    model = make_model()
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    save_layers(model, tmp_path / "deep" / "moons")
    assert sorted(p.name for p in (tmp_path / "deep" / "moons").iterdir()) == ["0.pt", "2.pt"]
    assert visible(tmp_path / "deep") == ["moons"]
    other = make_model(5.0)
    load_layers(other, tmp_path / "deep" / "moons")
    for saved, loaded in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(saved, loaded)


def test_folder_may_be_given_as_text(tmp_path):
    save_layers(make_model(2.0), str(tmp_path / "moons"))
    model = make_model()
    load_layers(model, str(tmp_path / "moons"))
    assert value_of(model) == 2


def test_looking_for_a_checkpoint_leaves_nothing_behind(tmp_path):
    refuse_to_load(tmp_path / "deep" / "moons", "there is no checkpoint")
    assert list(tmp_path.iterdir()) == []


class Nested(nn.Module):
    """Parameters of its own, a buffer, and layers two levels down."""

    def __init__(self, value):
        super().__init__()
        self.scale = nn.Parameter(torch.full((2,), value))
        self.block = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
        self.block[0].running_mean.fill_(value)


def test_layers_with_buffers_nesting_and_own_parameters_come_back(tmp_path):
    save_layers(Nested(3.0), tmp_path / "nested")
    names = sorted(p.name for p in (tmp_path / "nested").iterdir())
    assert names == ["__root__.pt", "block.0.pt", "block.1.pt"]
    other = Nested(0.0)
    load_layers(other, tmp_path / "nested")
    assert other.scale.tolist() == [3.0, 3.0]
    assert other.block[0].running_mean.tolist() == [3.0, 3.0]


def test_a_file_holds_no_more_than_its_own_tensor(tmp_path):
    model = nn.Linear(2, 1)
    model.weight = nn.Parameter(torch.zeros(1000, 1000)[:1, :2])
    save_layers(model, tmp_path / "small")
    assert (tmp_path / "small" / "__root__.pt").stat().st_size < 5000


def test_saving_again_replaces_the_checkpoint(folder):
    save_layers(make_model(2.0), folder)
    model = make_model()
    load_layers(model, folder)
    assert value_of(model) == 2
    assert visible(folder.parent) == ["moons"]


def test_saving_never_replaces_the_checkpoint_of_another_model(folder):
    with pytest.raises(
        CheckpointError, match=r"more than a checkpoint of this model \(0\.pt, 2\.pt\)"
    ):
        save_layers(nn.Linear(1, 1), folder)
    assert sorted(p.name for p in folder.iterdir()) == ["0.pt", "2.pt"]


def test_saving_spares_folders_whose_names_begin_alike(folder):
    alike = folder.with_name(".moons-large")
    alike.mkdir()
    (alike / "0.pt").write_text("not ours")
    save_layers(make_model(2.0), folder)
    assert (alike / "0.pt").read_text() == "not ours"


@pytest.mark.parametrize("num_kept", [0, 1, 100, -1])
def test_a_truncated_file_is_named(folder, num_kept):
    path = folder / "2.pt"
    path.write_bytes(path.read_bytes()[:num_kept])
    refuse_to_load(folder, r"2\.pt is damaged, or no file of parameters")


def test_a_file_with_a_turned_bit_is_named(folder):
    content = bytearray((folder / "0.pt").read_bytes())
    place = content.find(torch.ones(6).numpy().tobytes())
    content[place + 3] ^= 0b0100_0000
    (folder / "0.pt").write_bytes(content)
    refuse_to_load(folder, r"0\.pt is damaged")


@pytest.mark.parametrize("content", [b"not a checkpoint\n", b"PK\x03\x04", b"\x80\x04N.", b"a,b\n"])
def test_a_foreign_file_is_named(folder, content):
    (folder / "0.pt").write_bytes(content)
    refuse_to_load(folder, r"0\.pt (is damaged|does not hold the parameters)")


class Malicious:
    """A pickle that makes a folder when it is read without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize(
    "write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_a_malicious_file_is_not_executed(folder, write):
    victim = folder.parent / "victim"
    write({"weight": Malicious(str(victim))}, folder / "0.pt")
    refuse_to_load(folder, r"0\.pt is damaged, or no file of parameters: nothing in it was run")
    assert not victim.exists()
    with contextlib.suppress(RuntimeError):
        torch.load(folder / "0.pt", weights_only=False)
    assert victim.exists()  # the trap itself works


@pytest.mark.parametrize("content", [torch.zeros(3, 2), {"weight": 1.0, "bias": 2.0}, ["weight"]])
def test_a_file_without_named_tensors_is_refused(folder, content):
    torch.save(content, folder / "0.pt")
    refuse_to_load(folder, r"0\.pt does not hold the parameters of a layer by name")


def test_a_missing_layer_is_named(folder):
    (folder / "2.pt").unlink()
    refuse_to_load(folder, r"moons does not fit the model, files: missing 2\.pt")


def test_a_stranger_in_the_folder_is_named(folder):
    (folder / "notes.txt").write_text("hello")
    refuse_to_load(folder, r"files: not of this model notes\.txt")


def test_a_pipe_in_place_of_a_layer_does_not_hang(folder):
    (folder / "2.pt").unlink()
    os.mkfifo(folder / "2.pt")
    refuse_to_load(folder, r"2\.pt is not a file")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight": torch.zeros(3, 2)}, r"0\.pt does not fit the model, parameters: missing bias"),
        (
            {"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "scale": torch.zeros(1)},
            r"parameters: not of this model scale",
        ),
        (
            {"weight": torch.zeros(2, 3), "bias": torch.zeros(3)},
            r"weight has shape \(2, 3\), the model wants \(3, 2\)",
        ),
        (
            {"weight": torch.zeros(3, 2).double(), "bias": torch.zeros(3)},
            r"weight has dtype torch.float64, the model wants torch.float32",
        ),
        (
            {"weight": torch.zeros(3, 2).to_sparse(), "bias": torch.zeros(3)},
            r"weight holds no plain tensor|0\.pt is damaged",  # torch warns of sparse ones
        ),
        (
            {"weight": torch.zeros(3, 2, device="meta"), "bias": torch.zeros(3)},
            r"weight holds no plain tensor",
        ),
    ],
)
def test_parameters_of_another_model_are_named(folder, parameters, message):
    torch.save(parameters, folder / "0.pt")
    refuse_to_load(folder, message)


def test_a_fault_in_the_last_layer_leaves_the_first_as_it_was(folder):
    refuse_to_load(folder, r"0\.pt: weight has shape", make_model(7.0, hidden_features=4))
    torch.save({"weight": torch.zeros(1, 3), "bias": torch.zeros(2)}, folder / "2.pt")
    refuse_to_load(folder, r"2\.pt: bias has shape \(2,\), the model wants \(1,\)")


def test_a_checkpoint_that_is_not_there_says_how_to_make_one(tmp_path):
    refuse_to_load(tmp_path / "none", "there is no checkpoint .*none: write one with save_layers")


@pytest.mark.parametrize("stranger", ["notes.txt", "subfolder.pt"])
def test_saving_never_replaces_what_is_not_a_checkpoint(folder, stranger):
    if stranger.endswith(".txt"):
        (folder / stranger).write_text("hello")
    else:
        (folder / stranger).mkdir()
    with pytest.raises(
        CheckpointError, match=f"more than a checkpoint of this model \\({stranger}\\)"
    ):
        save_layers(make_model(2.0), folder)
    assert (folder / stranger).exists()
    assert len(list(folder.iterdir())) == 3


def test_saving_never_replaces_a_file(tmp_path):
    (tmp_path / "moons").write_text("hello")
    with pytest.raises(CheckpointError, match="moons is not a folder: remove it"):
        save_layers(make_model(), tmp_path / "moons")
    assert (tmp_path / "moons").read_text() == "hello"


def test_saving_spares_a_foreign_folder_where_a_checkpoint_would_step_aside(folder):
    aside = folder.with_name("moons.previous")
    aside.mkdir()
    (aside / "notes.txt").write_text("hello")
    with pytest.raises(CheckpointError, match=r"moons\.previous holds more than a checkpoint"):
        save_layers(make_model(2.0), folder)
    assert (aside / "notes.txt").exists()


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), CheckpointError, "No space left"),
        (KeyboardInterrupt("by the reader"), KeyboardInterrupt, "by the reader"),
    ],
)
def test_a_save_that_fails_leaves_the_old_checkpoint(folder, monkeypatch, error, expected, message):
    calls = []

    def fail_at_the_second_file(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise error

    monkeypatch.setattr(os, "fsync", fail_at_the_second_file)
    with pytest.raises(expected, match=message):
        save_layers(make_model(2.0), folder)
    model = make_model()
    load_layers(model, folder)
    assert value_of(model) == 1
    assert visible(folder.parent) == ["moons"]


@pytest.fixture(scope="module")
def processes():
    """Return what starts processes of their own, which have imported torch already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["labsupport.checkpoints"])
    return context


def save_until_rename(rename_number, folder):
    """Save a checkpoint, and end the process instead of one of the renames."""
    rename, calls = Path.rename, []

    def die(path, target):
        calls.append(path)
        if len(calls) == rename_number:
            os._exit(9)
        return rename(path, target)

    Path.rename = die
    save_layers(make_model(), folder)


@pytest.mark.parametrize("rename_number", [1, 2])
def test_a_save_killed_while_it_renames_loses_nothing(folder, processes, rename_number):
    saving = processes.Process(target=save_until_rename, args=(rename_number, folder))
    saving.start()
    saving.join()
    assert saving.exitcode == 9
    assert folder.exists() == (rename_number == 1)
    model = make_model()
    load_layers(model, folder)
    assert value_of(model) == 1
    save_layers(make_model(3.0), folder)
    load_layers(model, folder)
    assert value_of(model) == 3
    assert not folder.with_name("moons.previous").exists()


def test_a_checkpoint_is_read_where_no_lock_can_be_written(folder, monkeypatch):
    def refuse(lock):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    model = make_model()
    load_layers(model, folder)
    assert value_of(model) == 1


def make_shared_model(value=0.5):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


def save_over_and_over(folder, log):
    """Save a checkpoint with other values each time."""
    sys.stderr = log.open("w")
    for number in range(100):
        save_layers(make_shared_model(number / 100), folder)


def load_over_and_over(folder, log, over):
    """Load a checkpoint until it is saved no more."""
    sys.stderr = log.open("w")
    model = make_shared_model()
    while not over.is_set():
        load_layers(model, folder)
        values = {value for p in model.parameters() for value in p.flatten().tolist()}
        assert len(values) == 1, values


def test_processes_that_share_a_checkpoint_never_see_half_of_one(tmp_path, processes):
    shared, over = tmp_path / "place" / "shared", processes.Event()
    shared.parent.mkdir()
    save_layers(make_shared_model(), shared)
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    *writers, reader = [
        processes.Process(target=save_over_and_over, args=(shared, logs[0])),
        processes.Process(target=save_over_and_over, args=(shared, logs[1])),
        processes.Process(target=load_over_and_over, args=(shared, logs[2], over)),
    ]
    for process in (reader, *writers):
        process.start()
    for process in writers:
        process.join()
    over.set()
    reader.join()
    assert [log.read_text() for log in logs] == ["", "", ""]
    assert [process.exitcode for process in (*writers, reader)] == [0, 0, 0]
    assert visible(shared.parent) == ["shared"]
