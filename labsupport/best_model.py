"""Keep the parameters of the epoch that scored best, in memory."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

__all__ = ["BestModel"]


class BestModel:
    """Keep a copy of the parameters of the epoch that scored best on the validation set.

    Parameters
    ----------
    monitor : str
        "val_loss", where less is better, or "val_accuracy", where more is. Of equal scores the
        earliest counts.

    Attributes
    ----------
    row : dict or None
        The history's row of the best epoch; None before the first.

    Raises
    ------
    ValueError
        If `monitor` is neither.
    """

    def __init__(self, monitor: str = "val_loss"):
        if monitor not in ("val_loss", "val_accuracy"):
            raise ValueError(f"monitor must be 'val_loss' or 'val_accuracy', got {monitor!r}")
        self.monitor = monitor
        self.row: dict | None = None
        self._state: dict[str, Tensor] = {}

    def update(self, model: nn.Module, row: Mapping[str, float]) -> bool:
        """Copy the parameters of `model` if `row` scores better than all before; say whether."""
        if self.row is not None:
            gain = row[self.monitor] - self.row[self.monitor]
            better = gain < 0 if self.monitor == "val_loss" else gain > 0
            if not better:
                return False
        self._state = {name: value.clone() for name, value in model.state_dict().items()}
        self.row = dict(row)
        return True

    def restore(self, model: nn.Module) -> None:
        """Give `model` the parameters that were kept.

        Raises
        ------
        RuntimeError
            If nothing was kept yet.
        """
        if self.row is None:
            raise RuntimeError("no parameters were kept yet: call update first")
        model.load_state_dict(self._state)
