"""The surroundings of the kernels in which chapters run."""

__all__ = ["KERNEL_DEFAULTS"]

# Chapters share the cores: a thread without work must sleep, not spin.
KERNEL_DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE"}
