"""Single pictures in formats of planes: what they say about their pixels goes along."""

import numpy as np
import pytest
import tifffile
from helpers import random_pixels

from torchdenoise.data import open_planes, read_picture, write_picture
from torchdenoise.data.formats import lost

WORDS = ("--strength", "0", "--device", "cpu")


def save(path, kind, shape):
    """Write one page by tifffile alone."""
    array, colour = random_pixels(shape, "uint16"), "minisblack" if len(shape) == 2 else "rgb"
    if kind == "ome":
        scale = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
        tifffile.imwrite(path, array, photometric=colour, ome=True, metadata=scale)
    else:
        array = array if len(shape) == 2 else array.astype("uint8")
        tifffile.imwrite(path, array, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    return read_picture(path).restore(read_picture(path).image)


@pytest.mark.parametrize("kind", ["ome", "imagej"])
@pytest.mark.parametrize(
    ("suffix", "package", "shape"),
    [
        (".zarr", "zarr", (9, 8)),
        (".ome.zarr.zip", "zarr", (9, 8, 3)),
        (".nii", "nibabel", (9, 8)),
        (".mrc", "mrcfile", (9, 8)),
    ],
)
def test_the_size_of_its_pixels_goes_along(run, tmp_path, kind, shape, suffix, package):
    pytest.importorskip(package)
    array = save(tmp_path / "a.tif", kind, shape)
    outcome = run("denoise", "a.tif", "-o", f"b{suffix}", *WORDS)
    assert outcome.code == 0, outcome.err
    assert "pixel size" not in outcome.out
    with open_planes(tmp_path / f"b{suffix}") as planes:
        scale = 10_000 if suffix == ".mrc" else 1
        steps = {letter: planes.calibration.steps[letter] / scale for letter in "XY"}
        assert steps == pytest.approx({"X": 0.25, "Y": 0.5})
        assert planes.calibration.units["X"] == ("angstrom" if suffix == ".mrc" else "micrometer")
        found = np.stack([planes.plane(number) for number in range(len(planes))], -1)
    np.testing.assert_array_equal(found.reshape(array.shape), array)


@pytest.mark.parametrize("suffix", [".npy", ".png", ".fits"])
def test_a_format_that_cannot_hold_it_is_named(run, tmp_path, suffix):
    if suffix == ".fits":
        pytest.importorskip("astropy")
    save(tmp_path / "a.tif", "ome", (9, 8))
    outcome = run("denoise", "a.tif", "-o", f"b{suffix}", *WORDS)
    assert outcome.code == 0, outcome.err
    line = f"b{suffix}: cannot hold what the input has: the description of the TIFF, pixel size, units"
    assert line in outcome.out


def test_a_tiff_from_another_format_keeps_it(tmp_path):
    pytest.importorskip("zarr")
    save(tmp_path / "a.tif", "ome", (9, 8))
    for source, target in (("a.tif", "b.zarr"), ("b.zarr", "c.tif")):
        picture = read_picture(tmp_path / source)
        assert lost(".tif", picture) == ""
        write_picture(tmp_path / target, picture.image, picture)
    found = read_picture(tmp_path / "c.tif").calibration
    assert found == read_picture(tmp_path / "a.tif").calibration
    assert found.steps == {"X": 0.25, "Y": 0.5}
