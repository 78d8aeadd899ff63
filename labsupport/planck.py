"""Planck's law, and noisy spectra of black bodies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from labsupport.data import check_noise

__all__ = ["make_planck_spectra", "planck_exitance"]

# 2πhc² in W·µm⁴/m² and hc/k in µm·K, from the exact constants of the SI since 2019.
FIRST_RADIATION_CONSTANT = 3.741771852e8
SECOND_RADIATION_CONSTANT = 1.438776877e4


def planck_exitance(wavelength: Tensor, temperature: Tensor) -> Tensor:
    """Return what a black body radiates: power over area and wavelength, W/(m²·µm).

    Goes through the logarithm, so that no exponential overflows and float64 has a derivative
    wherever the result is not zero.

    Parameters
    ----------
    wavelength : Tensor of float, in µm
    temperature : Tensor of float, in K, of a shape that broadcasts with that of `wavelength`

    Raises
    ------
    ValueError
        If a wavelength or a temperature is not above 0.

    References
    ----------
    Planck's law, https://physics.nist.gov/cuu/Constants (first and second radiation
    constant).
    """
    for name, value, unit in (("wavelength", wavelength, "µm"), ("temperature", temperature, "K")):
        if not (value > 0).all():
            raise ValueError(f"{name} must be above 0 {unit}, got {value.min().item():g}")
    x = SECOND_RADIATION_CONSTANT / (wavelength * temperature)
    log_expm1 = x + torch.log(-torch.expm1(-x))
    return torch.exp(math.log(FIRST_RADIATION_CONSTANT) - 5 * torch.log(wavelength) - log_expm1)


def make_planck_spectra(
    temperature: Sequence[float] | Tensor,
    *,
    wavelength: Sequence[float] | Tensor,
    noise_std: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Measure black bodies with relative noise: exitance · exp(noise_std · N(0, 1)).

    Parameters
    ----------
    temperature : sequence of float or Tensor of shape (num_spectra,), in K
    wavelength : sequence of float or Tensor of shape (num_wavelengths,), in µm
    noise_std : float
        Standard deviation of the logarithm; small, it is the relative error of a reading.
    generator : torch.Generator on the CPU
    dtype : torch.dtype

    Returns
    -------
    Tensor of shape (num_spectra, num_wavelengths), on the CPU
        In W/(m²·µm), above 0.

    Raises
    ------
    ValueError
        If there is no temperature or no wavelength, if one is not above 0, or if `noise_std` is
        negative or not finite.
    """
    temperature = torch.as_tensor(temperature, dtype=torch.float64, device="cpu")
    wavelength = torch.as_tensor(wavelength, dtype=torch.float64, device="cpu")
    for name, value in (("temperature", temperature), ("wavelength", wavelength)):
        if value.ndim != 1 or len(value) == 0:
            raise ValueError(
                f"{name} must be a list of at least one number, got shape {tuple(value.shape)}"
            )
    check_noise(noise_std)
    exitance = planck_exitance(wavelength, temperature.unsqueeze(1))
    noise = torch.randn(exitance.shape, generator=generator, dtype=torch.float64)
    return (exitance * torch.exp(noise_std * noise)).to(dtype)
