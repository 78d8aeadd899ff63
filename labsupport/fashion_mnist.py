"""Load Fashion-MNIST, or stand in for it where it cannot be had.

Without the archives the loader returns scikit-learn's digits, says so, and marks the output, unless
`LABS_REQUIRE_DATA` is set.
"""

import os
from typing import NamedTuple

import torch
from IPython.display import Markdown, display
from torch import Tensor

from labsupport.archives import FOLDER_VARIABLE, DataUnavailableError, unpacked_root

__all__ = ["ImageData", "load_fashion_mnist"]

REQUIRED_VARIABLE = "LABS_REQUIRE_DATA"


class ImageData(NamedTuple):
    """Labelled grey images.

    Attributes
    ----------
    X_train : Tensor of shape (num_train, 28, 28), uint8
    y_train : Tensor of shape (num_train,), int64
    X_test : Tensor of shape (num_test, 28, 28), uint8
    y_test : Tensor of shape (num_test,), int64
    class_names : tuple of str
    stand_in : str
        Why these are not the images that were asked for; empty if they are.
    """

    X_train: Tensor
    y_train: Tensor
    X_test: Tensor
    y_test: Tensor
    class_names: tuple[str, ...]
    stand_in: str


def load_fashion_mnist() -> ImageData:
    """Load the 60,000 training and 10,000 test images of Fashion-MNIST.

    Returns
    -------
    ImageData
        On the CPU. If the data cannot be had, scikit-learn's digits enlarged to 28 by 28, with
        the reason in `stand_in` and in a warning that is displayed.

    Raises
    ------
    DataUnavailableError
        If the folder named by `LABS_FASHION_MNIST` is not as it should be, or if nothing can be
        had and `LABS_REQUIRE_DATA` is set.

    References
    ----------
    Xiao, Rasul and Vollgraf (2017), https://arxiv.org/abs/1708.07747
    """
    try:
        root = unpacked_root()
    except DataUnavailableError as error:
        if os.environ.get(REQUIRED_VARIABLE) or os.environ.get(FOLDER_VARIABLE):
            raise
        return _load_stand_in(str(error))
    from torchvision.datasets import FashionMNIST  # here, because it takes seconds

    train, test = FashionMNIST(root, train=True), FashionMNIST(root, train=False)
    return ImageData(
        train.data, train.targets, test.data, test.targets, tuple(train.classes), stand_in=""
    )


def _load_stand_in(reason: str) -> ImageData:
    """Return scikit-learn's 1,797 digits as 28 by 28 images, and say loudly that they are not it.

    The marker in the output's metadata is what `labs run`, `labs update` and pytest look for.
    """
    from sklearn.datasets import load_digits

    display(
        Markdown(
            "**Stand-in data.** Fashion-MNIST is not available here, so this run uses "
            "scikit-learn's 1,797 handwritten digits. Its numbers are not those of the text.\n\n"
            f"> {reason}"
        ),
        metadata={"labs": {"stand_in": reason}},
    )
    digits = load_digits()
    small = torch.from_numpy(digits.images)  # 8 by 8, values 0 to 16
    images = torch.nn.functional.pad(small.repeat_interleave(3, 1).repeat_interleave(3, 2), [2] * 4)
    images = (images * (255 / 16)).to(torch.uint8)
    targets = torch.from_numpy(digits.target).long()
    names = tuple(f"digit {digit}" for digit in range(10))
    return ImageData(images[:1437], targets[:1437], images[1437:], targets[1437:], names, reason)
