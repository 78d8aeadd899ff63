import pytest

from labsupport.pipeline.texts import compare_text


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("loss 0.80", "loss 0.81"),
        ("loss 0.80", "loss 0.79"),
        ("1.2e-5", "1.3e-5"),
        ("1.0e-05", "9.9e-06"),
        ("-0.00", "0.00"),
        ("0.99999", "1"),
        ("\u22120.5", "\u22120.6"),
        ("准确率0.80", "准确率0.81"),
        ("损失1.5e-03，第3章", "损失1.4e-03，第3章"),
        ("9.9e-06秒", "1.0e-05秒"),
        ("1,234.5", "1,234.6"),
        ("999.9", "1,000.0"),
        ("[0.5,0.25]", "[0.6,0.26]"),
        ("12.50 ms", "12.51 ms"),
        ("1.5ms", "1.6ms"),
        ("1.2e3s", "1.3e3s"),
        ("12.5%", "12.4%"),
        ("(1.5+2.0j)", "(1.4+2.1j)"),
        ("0.12", "0.119"),
        ("+0.00", "-0.01"),
        ("[1.0, 2.0]", "[0.9999, 2.0]"),
        ("| 5.1e-05 |", "| 5e-05 |"),
        ("tensor([ 1.0000e+00, -2.5000e-01])", "tensor([ 1.0001e+00, -2.5001e-01])"),
        ("[ 9.9,  9.9]", "[10.0,  9.9]"),
        ("[-0.1,  9.9]", "[0.0, 9.9]"),
        ("| 9.9  |\n| 10.5 |", "| 10.0 |\n| 10.5 |"),
    ],
)
def test_compare_text_allows_one_unit_of_the_last_place(reference, found):
    assert compare_text(reference, found) == ""


@pytest.mark.parametrize(
    ("reference", "found", "reason"),
    [
        ("loss 0.80", "loss 0.82", "2 units of its last place apart"),
        ("loss 0.80", "loss 0.7899", "1.01 units"),
        ("1.2e-5", "1.4e-5", "2 units"),
        ("0.5", "-0.5", "10 units"),
        ("0.5", "nan", "other words"),
        ("nan", "0.5", "other words"),
        ("inf", "-inf", "other words"),
        ("12 images", "13 images", "12 was promised exactly, 13 found"),
        ("It took 12.", "It took 13.", "promised exactly"),
        ("tensor([1., 2.])", "tensor([1., 3.])", "promised exactly"),
        ("60,000", "60,001", "promised exactly"),
        ("2-5-1", "2-5-2", "promised exactly"),
        ("torch 2.14.1", "torch 2.14.2", "other words"),
        ("float32", "float64", "other words"),
        ("准确率0.80", "准确率0.82", "2 units"),
        ("C30", "C31", "other words"),
        ("one\ntwo", "one", "another number of lines"),
        ("one", "one\n", "another number of lines"),
        ("+3", "3", "promised exactly"),
        ("-0", "0", "promised exactly"),
        ("007", "7", "promised exactly"),
        ("007.5", "007.6", "other words"),
        ("3e9", "4e9", "promised exactly"),
        ("12e4567", "13e4567", "promised exactly"),
        ("1e99999999999999999999", "2e99999999999999999999", "promised exactly"),
        ("1e-99999999999999999999", "2e-99999999999999999999", "promised exactly"),
        ("1.5e99999999999999999999", "1.6e99999999999999999999", "other words"),
        ("-1.", "-0.", "promised exactly"),
        ("60,000", "60000", "promised exactly"),
        ("(1,234)", "(1,235)", "promised exactly"),
        ("1,234.5", "1234.5", "written in another way"),
        ("[0,123.5]", "[123.5]", "other words"),
        ("+0.5", "0.5", "written in another way"),
        ("\u22120.5", "-0.5", "written in another way"),
        ("0.80", "0.8", "written in another way"),
        ("0.80", "0.8000001", "written in another way"),
        ("1.50e-05", "0.0000150", "written in another way"),
        ("0.80", "0.81000000000000000000000000000001", "1.01 units"),
        ("1.5-0.0j", "1.5+0.0j", "other words"),
        ("0.5", "-inf", "other words"),
        ("torch 2.14.1+cu130", "torch 2.14.1+cu131", "other words"),
        ("v1.2", "v1.3", "other words"),
        ("1.2rc1", "1.3rc1", "other words"),
        ("2026-11-21", "2026-11-22", "promised exactly"),
        ("12:34:56", "12:34:57", "promised exactly"),
        ("3h05", "3h06", "other words"),
        ("0.5x0.5", "0.6x0.5", "other words"),
        ("curve_0.5.png", "curve_0.6.png", "other words"),
        ("0.5.png", "0.6.png", "other words"),
        ("64x1x28x28", "64x1x28x29", "other words"),
        ("0.5_x", "0.6_x", "other words"),
        ("3e8a41", "4e8a41", "promised exactly"),
        ("0x1f", "0x2f", "other words"),
        ("conv1", "conv2", "other words"),
        ("第３章", "第４章", "other words"),
        ("１2.5", "１2.6", "other words"),
        ("1.5１", "1.6１", "other words"),
        ("\x1b[31m0.5", "\x1b[32m0.5", "other words"),
        ("\0 0.5", "0.5 \0", "other words"),
        ("0.5 a", "0.5  a", "other spaces"),
        ("0.5 ", "0.5", "other spaces"),
        ("9.9 a b 0.5", "10.0 ab 0.5", "other words"),
        ("0.5\t1", "0.5 1", "other words"),
        ("0.5\r", "0.5", "other words"),
    ],
)
def test_compare_text_names_the_broken_promise(reference, found, reason):
    assert reason in compare_text(reference, found)


def test_compare_text_holds_numbers_of_a_million_digits():
    digits = "1" * 1_000_001
    assert compare_text(f"{digits}.5", f"{digits}.6") == ""
    assert "2 units" in compare_text(f"{digits}.5", f"{digits}.7")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (f"{'1' * 1_000_001}.5", f"{'2' * 1_000_001}.5"),
        (f"0.{'0' * 1_000_001}1", f"0.{'0' * 1_000_001}3"),
    ],
    ids=["large", "small"],
)
def test_compare_text_sees_how_far_numbers_of_a_million_digits_are_apart(reference, found):
    assert "units of its last place apart" in compare_text(reference, found)


def test_compare_text_names_the_line():
    assert compare_text("a\nb 0.1", "a\nb 0.3").startswith("line 2: ")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("took 0.2 ms", "took   113.25 ms"),
        ("Python 3.11.7", "Python 3.12.11"),
        ("| device | CPU, EPYC, 2 cores |", "| device | GPU, H100 80GB |"),
        ("| rate | 3e9 |", "| rate | 41 |"),
        ("| device of this chapter | cpu |", "| device of this chapter | cuda:0 |"),
        ("| device: `try_gpu(1)` | cpu |", "| device: `try_gpu(1)` | cuda:1 |"),
        ("Python 3.15.0rc1", "Python 3.15.0"),
        ("[ 9.9,  9.9]", "[10.0,  9.9]"),
    ],
)
def test_compare_text_masks_measured_numbers(reference, found):
    assert compare_text(reference, found, measured=True) == ""


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("took 2 ms", "took 2 s"),
        ("took 2 ms", "took nan ms"),
        ("a 1\nb 2", "a 1"),
        ("took 2 ms\nright", "took 3 ms\nwrong"),
        ("1 2", "1 2 3"),
        ("took 2 ms", "took # ms"),
        ("devices differ by 3%", "devices agree by 3%"),
        ("device-independent result: right", "device-independent result: wrong"),
        ("device 1 passed", "device 1 failed"),
        ("| device | time in ms |\n|---|---|", "| device | time in s |\n|---|---|"),
        ("| device | CPU | right |", "| device | CPU | wrong |"),
        ("| device | CPU |", "| device of it | CPU |"),
        ("\x1b[31m2 ms", "\x1b[32m2 ms"),
        ("第３章", "第４章"),
    ],
)
def test_compare_text_keeps_measured_words(reference, found):
    assert compare_text(reference, found, measured=True) != ""
