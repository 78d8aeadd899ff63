import math

import pytest
import torch

from labsupport.planck import make_planck_spectra, planck_exitance
from labsupport.seeding import make_generator

TEMPERATURE = torch.tensor([300.0, 3000.0, 5778.0], dtype=torch.float64)


def test_planck_integrates_to_stefan_boltzmann():
    wavelength = torch.logspace(-2, 5, 20_001, dtype=torch.float64)
    power = torch.trapezoid(planck_exitance(wavelength, TEMPERATURE.unsqueeze(1)), wavelength)
    torch.testing.assert_close(power, 5.670374419e-8 * TEMPERATURE**4, rtol=1e-6, atol=0)


def test_planck_peaks_where_wien_says():
    peak = (2897.771955 / TEMPERATURE).requires_grad_()
    planck_exitance(peak, TEMPERATURE).log().sum().backward()
    # in units of the slope of -5 log(wavelength), the smaller of the two that cancel there
    torch.testing.assert_close(
        peak.grad * peak.detach() / 5, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-8
    )


def test_planck_tends_to_rayleigh_and_jeans_for_long_waves():
    wavelength = torch.tensor(1e6, dtype=torch.float64)
    limit = 2 * math.pi * 299_792_458 * 1.380649e-23 * TEMPERATURE / (wavelength * 1e-6) ** 4
    torch.testing.assert_close(
        planck_exitance(wavelength, TEMPERATURE), limit * 1e-6, rtol=1e-4, atol=0
    )


def test_planck_stays_finite_where_the_exponential_overflows():
    wavelength = torch.tensor(0.02, dtype=torch.float64)
    temperature = torch.tensor(1000.0, dtype=torch.float64, requires_grad=True)
    exitance = planck_exitance(wavelength, temperature)  # exp(719) is inf in float64
    exitance.log().backward()
    assert 0 < exitance.item() < 1e-290
    # the derivative of the logarithm there is x / T
    assert temperature.grad.item() == pytest.approx(14387.76877 / 0.02 / 1000**2, rel=1e-9)


@pytest.mark.parametrize(
    ("wavelength", "temperature", "message"),
    [
        (0.0, 300.0, "wavelength must be above 0 µm, got 0"),
        (1.0, -300.0, "temperature must be above 0 K, got -300"),
        (1.0, math.nan, "temperature must be above 0 K, got nan"),
    ],
)
def test_planck_refuses_what_no_body_has(wavelength, temperature, message):
    with pytest.raises(ValueError, match=message):
        planck_exitance(torch.tensor(wavelength), torch.tensor(temperature))


def planck_spectra(seed=0, **options):
    defaults = {"temperature": TEMPERATURE, "wavelength": [0.5, 1.0, 2.0, 10.0], "noise_std": 0.0}
    return make_planck_spectra(generator=make_generator(seed), **(defaults | options))


def test_spectra_without_noise_are_plancks():
    wavelength = torch.tensor([0.5, 1.0, 2.0, 10.0], dtype=torch.float64)
    spectra = planck_spectra()
    assert spectra.shape == (3, 4)
    for spectrum, temperature in zip(spectra, TEMPERATURE, strict=True):
        assert torch.equal(spectrum, planck_exitance(wavelength, temperature))


def test_spectra_have_relative_noise():
    wavelength = torch.linspace(0.2, 3, 100_000, dtype=torch.float64)
    noisy = planck_spectra(wavelength=wavelength, noise_std=0.05)
    error = (noisy / planck_spectra(wavelength=wavelength)).log()
    assert error.mean(dim=1).abs().max() < 5 * 0.05 / math.sqrt(100_000)
    assert (error.std(dim=1) / 0.05 - 1).abs().max() < 5 / math.sqrt(2 * 100_000)


def test_spectra_are_computed_in_double_precision():
    (found,) = make_planck_spectra(
        [5772.1], wavelength=[0.7], noise_std=0.0, generator=make_generator(0)
    )
    wavelength, temperature = torch.tensor([[0.7], [5772.1]], dtype=torch.float64)
    assert torch.equal(found, planck_exitance(wavelength, temperature))


def test_spectra_repeat_with_the_seed():
    first, again, other = (planck_spectra(seed, noise_std=0.05) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": []}, r"temperature must be a list .* got shape \(0,\)"),
        ({"wavelength": 1.0}, r"wavelength must be a list .* got shape \(\)"),
        ({"temperature": [-1.0]}, "temperature must be above 0 K, got -1"),
        ({"noise_std": -0.1}, "noise_std must be 0 or .* above it, got -0.1"),
    ],
)
def test_spectra_refuse_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        planck_spectra(**options)
