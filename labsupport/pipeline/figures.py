"""Tell whether two figures differ in more than what another machine may change."""

import base64
import io

__all__ = ["FIGURE_RMS", "TILE_RMS", "figure_difference"]

# Root mean square of the pixel differences on the scale 0 to 255: of all pixels, and of those in
# the square tile where it is largest, because one wrong letter drowns in a whole figure.
FIGURE_RMS = 1.0
TILE_RMS = 15.0
_TILE_SIDE = 16  # pixels


def figure_difference(
    reference: str, found: str, *, measured: bool = False
) -> tuple[str, str, str] | None:
    """Return what differs between two figures, what was promised and what was found, or nothing.

    Parameters
    ----------
    reference, found : str
        PNG or JPEG, as base64.
    measured : bool
        Compare only the size.
    """
    if reference == found:
        return None
    old, new = _pixels(reference), _pixels(found)
    if old.shape != new.shape:
        sizes = (f"{image.shape[1]} by {image.shape[0]} pixels" for image in (old, new))
        return "another size", *sizes
    if measured:
        return None
    tile = f"in a tile of {_TILE_SIDE} by {_TILE_SIDE}"
    for where, bound, distance in (("in all", FIGURE_RMS, _rms), (tile, TILE_RMS, _tile_rms)):
        if (rms := distance(old, new)) > bound:
            promised = f"a root mean square difference of at most {bound}"
            return f"other pixels {where}", promised, f"{rms:.3f}"
    return None


def _pixels(encoded: str):
    """Decode a base64 image into an array of shape (height, width, 4), signed to be subtracted."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        return np.asarray(image.convert("RGBA")).astype(np.int16)


def _rms(old, new) -> float:
    """Return the root mean square of the pixel differences, as matplotlib's own tests do."""
    from matplotlib.testing.compare import calculate_rms

    return float(calculate_rms(old, new))


def _tile_rms(old, new) -> float:
    """Return the largest root mean square of the pixel differences in a tile."""
    import numpy as np

    squares = np.square(new - old, dtype=float).mean(axis=2)
    squares = np.pad(squares, [(0, -length % _TILE_SIDE) for length in squares.shape])
    tiles = squares.reshape(
        squares.shape[0] // _TILE_SIDE, _TILE_SIDE, squares.shape[1] // _TILE_SIDE, _TILE_SIDE
    )
    return float(np.sqrt(tiles.mean(axis=(1, 3)).max()))
