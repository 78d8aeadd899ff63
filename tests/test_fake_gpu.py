"""The fake GPU refuses what a GPU refuses, computes what the CPU computes, and rounds otherwise."""

import pickle
from pathlib import Path

import pytest
import torch
from fake_device import FAKE_GPU, FakeGPU, FakeGPUTensor

TOOL = Path(__file__).parents[1] / "tools" / "fake_gpu.py"
LAB = 'import time\nfrom labsupport.lab import start_lab\nlab = start_lab("lab", seed=0)'
MIXED = "import torch\ntorch.ones(2, device=lab.device) + torch.ones(2)"


@pytest.fixture(autouse=True)
def fake_gpu():
    with FakeGPU():
        yield


def ones(*shape):
    return torch.ones(*shape, device=FAKE_GPU)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (lambda: ones(2) + torch.ones(2), "cannot be mixed"),
        (lambda: ones(2, 2) @ torch.ones(2, 2), "cannot be mixed"),
        (lambda: torch.nn.Linear(2, 1)(ones(1, 2)), "cannot be mixed"),
        (lambda: torch.ones(2)[torch.tensor([0], device=FAKE_GPU)], "cannot be mixed"),
        (lambda: torch.randn(2, device=FAKE_GPU, generator=torch.Generator()), "generator"),
        (lambda: ones(2).normal_(generator=torch.Generator()), "generator"),
        (lambda: ones(2).numpy(), "not supported"),
    ],
)
def test_what_a_gpu_refuses_is_refused(program, reason):
    with pytest.raises(RuntimeError, match=reason):
        program()


@pytest.mark.parametrize(
    "program",
    [
        lambda: ones(2) + torch.tensor(1.0),
        lambda: ones(2).cpu() + torch.ones(2),
        lambda: ones(2)[torch.tensor([0, 1])] + 1,
        lambda: torch.ones(2).to(FAKE_GPU) + ones(2),
        lambda: torch.tensor([2.0, 2.0], device=FAKE_GPU),
        lambda: torch.empty(2).copy_(ones(2)) + 1,
    ],
)
def test_what_a_gpu_allows_is_allowed(program):
    assert program().tolist() == [2, 2]


@pytest.mark.parametrize("index", [[2, 0], ([2, 0],), range(2), ([1], 0), (slice(None), [0, 0])])
def test_lists_index_as_on_the_cpu(index):
    X = torch.arange(6.0).reshape(3, 2)
    there = X.to(FAKE_GPU)
    assert there[index].tolist() == X[index].tolist()
    X[index], there[index] = 7, 7
    assert there.tolist() == X.tolist()


def test_views_share_their_memory():
    X = torch.zeros(2, 3, device=FAKE_GPU)
    X.T[1] += 5
    assert X.tolist() == [[0, 5, 0], [0, 5, 0]]
    assert X.T.data_ptr() == X.data_ptr()


def test_data_can_be_exchanged():
    model = torch.nn.Linear(2, 1).to(FAKE_GPU)
    model.weight.data = ones(1, 2)
    torch.nn.init.zeros_(model.bias.data)
    model.bias.data -= 3
    assert model(ones(1, 2)).tolist() == [[-1]]
    assert model.weight.requires_grad


def test_module_moves_and_changes_its_dtype_in_place():
    model = torch.nn.Linear(2, 1).to(FAKE_GPU)
    weight = model.weight
    model(ones(1, 2)).sum().backward()
    model.to(torch.float64)
    assert model.weight is weight
    assert weight.dtype == weight.grad.dtype == torch.float64
    assert isinstance(weight, FakeGPUTensor)
    assert model(ones(1, 2).double()).dtype == torch.float64
    model.to("meta")
    assert model.weight is weight
    assert weight.is_meta


def test_meta_is_another_device():
    assert torch.ones(2, device=FAKE_GPU).to("meta").is_meta
    with pytest.raises(RuntimeError, match="cannot be mixed"):
        ones(2) + torch.ones(2, device="meta")
    with pytest.raises(NotImplementedError):
        torch.ones(2, device="meta").to(FAKE_GPU)


@pytest.mark.parametrize(
    ("map_location", "device"), [(None, FAKE_GPU), (FAKE_GPU, FAKE_GPU), ("cpu", "cpu")]
)
def test_file_remembers_the_device(tmp_path, map_location, device):
    saved = {"there": ones(2) + 1, "list": [torch.arange(3)]}
    torch.save(saved, tmp_path / "saved.pt")
    loaded = torch.load(tmp_path / "saved.pt", map_location=map_location)
    assert loaded["there"].device == torch.device(device)
    assert loaded["there"].tolist() == [2, 2]
    on_fake = device == FAKE_GPU and map_location is not None
    assert isinstance(loaded["list"][0], FakeGPUTensor) == on_fake


def test_file_can_be_read_to_meta(tmp_path):
    torch.save(ones(2), tmp_path / "saved.pt")
    assert torch.load(tmp_path / "saved.pt", map_location="meta").is_meta


def test_file_is_read_without_trust(tmp_path):
    torch.save({"there": ones(2), "path": tmp_path}, tmp_path / "saved.pt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "saved.pt")


def train(device):
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(64, 9, generator=generator), torch.randn(64, 1, generator=generator)
    model = torch.nn.Sequential(torch.nn.Linear(9, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    model, X, y = model.to(device), X.to(device), y.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(20):
        optimizer.zero_grad()
        loss = (model(X) - y).square().mean()
        loss.backward()
        optimizer.step()
    return model[0].weight.detach()


def test_training_ends_at_the_same_numbers_with_other_last_bits():
    there, here = train(FAKE_GPU), train("cpu")
    assert isinstance(there, FakeGPUTensor)
    torch.testing.assert_close(there.cpu(), here)
    assert not torch.equal(there.cpu(), here)


@pytest.mark.parametrize(
    "program",
    [
        lambda X: X @ X.T,
        lambda X: X @ X[0],
        lambda X: torch.nn.functional.linear(X, X, X[:, 0]),
        lambda X: torch.stack([X, X]) @ X.T,
        torch.Tensor.sum,
        lambda X: X.mean(dim=1),
        lambda X: X.float().softmax(dim=1),
    ],
)
def test_last_bits_are_others(program):
    X = torch.randn(300, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    here, there = program(X), program(X.to(FAKE_GPU)).cpu()
    torch.testing.assert_close(there, here)
    assert not torch.equal(there, here)


def test_sigmoid_has_the_range_of_float32():
    X = torch.tensor([-100.0, -80.0, 0.0, 16.0, 17.0], device=FAKE_GPU)
    assert X.sigmoid().tolist() == (1 / (1 + (-X).exp())).tolist()
    assert X.sigmoid()[0].item() == 0


def test_chapter_that_mixes_devices_is_named(book):
    book.edit("sums", "imports", lambda cell: cell.update(source=LAB))
    book.edit("sums", "total", lambda cell: cell.update(source=MIXED, outputs=[]))
    result = book.python(str(TOOL), "sums")
    assert result.returncode == 1, result.stderr
    assert "cell total: RuntimeError: aten.add.Tensor: tensors of the CPU and" in result.stdout
