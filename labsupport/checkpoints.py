"""Keep the parameters of a model's layers in files.

A checkpoint is a folder with one file for each layer that has parameters. It is written whole or
not at all, and read without trust: a file can hold nothing but tensors, and nothing reaches the
model before every name, shape and dtype has been held against it.
"""

import contextlib
import io
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn

__all__ = ["CheckpointError", "load_layers", "save_layers"]

SUFFIX = ".pt"
ROOT_LAYER = "__root__"  # the file of parameters that the model holds itself


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the message says what is wrong and what to do."""


def save_layers(model: nn.Module, folder: str | os.PathLike) -> None:
    """Write the parameters and buffers of each layer to `<folder>/<layer's name>.pt`.

    The folder appears whole: the files are written beside it, then renamed. An earlier
    checkpoint of that name is replaced; if the process is killed between the two renames, it is
    still there as `<folder>.previous`, from which `load_layers` then reads. Processes that share a
    folder take turns.

    Raises
    ------
    CheckpointError
        If `folder` holds anything but a checkpoint of the same layers, or cannot be written. What
        was there stays.
    """
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder):
            _replace(folder, _layers(model))
    except OSError as error:
        raise CheckpointError(
            f"cannot write {folder}: {error.strerror or error}. Free space there or choose "
            "another folder."
        ) from error


def load_layers(model: nn.Module, folder: str | os.PathLike) -> None:
    """Read what `save_layers` wrote into a model of the same layers, on the model's device.

    Raises
    ------
    CheckpointError
        If a file is missing, foreign, damaged or holds anything but tensors, or if a name, shape
        or dtype is not the model's. The model is then as it was before.
    """
    folder = Path(folder)
    _find(folder)
    lock = _lock(folder)
    with contextlib.suppress(OSError):  # where no lock can be written, nobody writes
        lock.acquire()
    try:
        state = _read_layers(_layers(model), _find(folder))
    finally:
        lock.release()
    model.load_state_dict(state)


def _lock(folder: Path) -> FileLock:
    """Return the lock of all processes that share a checkpoint."""
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def _layers(model: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Return what each layer holds itself, by the layer's name and the parameter's."""
    layers: dict[str, dict[str, Tensor]] = {}
    for name, value in model.state_dict().items():
        layer, _, parameter = name.rpartition(".")
        layers.setdefault(layer or ROOT_LAYER, {})[parameter] = value
    return layers


def _replace(folder: Path, layers: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write a checkpoint beside `folder`, then put it in its place; the caller holds the lock."""
    staging = folder.with_name(f".{folder.name}.staging")
    for earlier in (folder, _previous(folder), staging):
        if earlier.exists():
            _refuse_strangers(earlier, {f"{layer}{SUFFIX}" for layer in layers})
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    staging.mkdir()
    try:
        for layer, parameters in layers.items():
            _write(staging / f"{layer}{SUFFIX}", parameters)
        _put_in_place(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(path: Path, parameters: Mapping[str, Tensor]) -> None:
    """Write tensors to a file, on the CPU and without the rest of the storage they may view."""
    content = io.BytesIO()  # torch.save into a file words a full disk badly
    torch.save({name: value.cpu().clone() for name, value in parameters.items()}, content)
    with path.open("wb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(staging: Path, folder: Path) -> None:
    """Rename `staging` to `folder`; a checkpoint of that name steps aside first."""
    previous = _previous(folder)
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    try:
        staging.rename(folder)
    except BaseException:
        if previous.exists():
            previous.rename(folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _find(folder: Path) -> Path:
    """Return where the checkpoint is: at its place, or aside if a save was killed."""
    for place in (folder, _previous(folder), folder):  # it may be put in place just now
        if place.is_dir():
            return place
    raise CheckpointError(f"there is no checkpoint {folder}: write one with save_layers")


def _read_layers(expected: Mapping[str, Mapping[str, Tensor]], folder: Path) -> dict[str, Tensor]:
    """Return the state dict of a checkpoint, every name, shape and dtype as expected."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise CheckpointError(f"cannot read {folder}: {error.strerror or error}") from error
    _check_names("files", names, {f"{layer}{SUFFIX}" for layer in expected}, folder)
    state = {}
    for layer, parameters in expected.items():
        path = folder / f"{layer}{SUFFIX}"
        found = _read(path)
        _check_names("parameters", set(found), set(parameters), path)
        for name, value in parameters.items():
            _check_tensor(found[name], value, f"{path}: {name}")
            state[name if layer == ROOT_LAYER else f"{layer}.{name}"] = found[name]
    return state


def _previous(folder: Path) -> Path:
    """Return where a checkpoint steps aside while its successor is put in place."""
    return folder.with_name(f"{folder.name}.previous")


def _refuse_strangers(folder: Path, names: set[str]) -> None:
    """Refuse to replace what is not a checkpoint of the same layers."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder: remove it or choose another name")
    strangers = {path.name for path in folder.iterdir() if not path.is_file()}
    strangers |= {path.name for path in folder.iterdir()} - names
    if strangers:
        raise CheckpointError(
            f"{folder} holds more than a checkpoint of this model "
            f"({', '.join(sorted(strangers))}), which would be lost: remove it or choose another "
            "folder"
        )


def _read(path: Path) -> dict[str, Tensor]:
    """Read a file that may hold anything; nothing in it is executed."""
    if not path.is_file():  # a pipe would wait for ever
        raise CheckpointError(f"{path} is not a file")
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not look at the check sums
            if archive.testzip() is not None:
                raise zipfile.BadZipFile("a check sum is wrong")
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a foreign file can raise anything
        raise CheckpointError(
            f"{path} is damaged, or no file of parameters: nothing in it was run. Save the "
            "model again with save_layers."
        ) from error
    is_dict = isinstance(found, dict)
    if not is_dict or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(f"{path} does not hold the parameters of a layer by name")
    return found


def _check_names(what: str, found: set[str], expected: set[str], where: Path) -> None:
    """Refuse missing and foreign names."""
    problems = []
    if expected - found:
        problems.append(f"missing {', '.join(sorted(expected - found))}")
    if found - expected:
        problems.append(f"not of this model {', '.join(sorted(map(str, found - expected)))}")
    if problems:
        raise CheckpointError(f"{where} does not fit the model, {what}: {'; '.join(problems)}")


def _check_tensor(found: Tensor, expected: Tensor, where: str) -> None:
    """Refuse what could not be copied as it is."""
    if found.is_meta or found.layout != expected.layout:
        raise CheckpointError(f"{where} holds no plain tensor")
    for what, has, wants in (
        ("shape", tuple(found.shape), tuple(expected.shape)),
        ("dtype", found.dtype, expected.dtype),
    ):
        if has != wants:
            raise CheckpointError(f"{where} has {what} {has}, the model wants {wants}")
