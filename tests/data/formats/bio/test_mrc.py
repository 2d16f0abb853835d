"""MRC: pixels and headers come back, statistics are those of the result."""

import numpy as np
import pytest
from helpers import copy_planes, copy_with_remark, random_pixels

from torchdenoise.data import ArrayPlanes, Axes, Picture, check_planes_output, open_planes, write_picture
from torchdenoise.errors import PictureError

mrcfile = pytest.importorskip("mrcfile")


def save(path, array, kind="stack", voxel=1.25):
    with mrcfile.new(path) as file:
        file.set_data(array)
        if kind == "stack":
            file.set_image_stack()
        file.voxel_size = voxel
        file.set_extended_header(np.frombuffer(b"microscope".ljust(160, b"\0"), "V80"))
        file.header.exttyp = b"SERI"
        file.add_label("aligned by hand")
    return path


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32", "float16"])
@pytest.mark.parametrize(("kind", "letters"), [("stack", "TYX"), ("volume", "ZYX")])
def test_a_stack_comes_back(tmp_path, dtype, kind, letters):
    array = (random_pixels((5, 9, 8), "uint8") // 8).astype(dtype)
    path, target = save(tmp_path / "in.mrc", array, kind), tmp_path / "out.mrc"
    planes = copy_planes(path, target, order=-1)
    assert planes.axes.letters == letters
    assert planes.calibration.steps == pytest.approx(dict.fromkeys(letters.replace("T", ""), 1.25))
    assert planes.calibration.units["X"] == "angstrom"
    assert mrcfile.validate(target)
    before, after = mrcfile.open(path), mrcfile.open(target)
    np.testing.assert_array_equal(after.data, array)
    for name in before.header.dtype.names:
        if name in ("dmean", "rms"):
            assert after.header[name] == pytest.approx(before.header[name], rel=1e-3 if dtype == "float16" else 1e-6)
        else:
            assert after.header[name].tobytes() == before.header[name].tobytes(), name
    assert after.extended_header.tobytes() == before.extended_header.tobytes()


def test_another_type_and_big_endian(tmp_path):
    array = random_pixels((5, 9, 8), "uint8").astype("int16")
    copy_planes(save(tmp_path / "a.mrc", array), tmp_path / "b.mrc", dtype=np.dtype("float32"))
    assert mrcfile.validate(tmp_path / "b.mrc")
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "b.mrc"), array)
    data = mrcfile.open(tmp_path / "a.mrc")
    header = data.header.astype(data.header.dtype.newbyteorder(">"))
    header["machst"] = (0x11, 0x11, 0, 0)
    (tmp_path / "c.mrc").write_bytes(header.tobytes() + data.extended_header.tobytes() + array.astype(">i2").tobytes())
    copy_planes(tmp_path / "c.mrc", tmp_path / "d.mrc")
    assert mrcfile.validate(tmp_path / "d.mrc")
    assert (tmp_path / "d.mrc").read_bytes()[1024:] == (tmp_path / "c.mrc").read_bytes()[1024:]


@pytest.mark.parametrize("letters", ["YX", "TYX", "ZYX", "TZYX"])
def test_a_new_file(tmp_path, letters):
    array = random_pixels((2, 3, 9, 8)[-len(letters) :], "uint16")
    np.save(tmp_path / "a.npy", array)
    copy_planes(tmp_path / "a.npy", tmp_path / "a.mrc", letters)
    assert mrcfile.validate(tmp_path / "a.mrc")
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "a.mrc"), array)
    with open_planes(tmp_path / "a.mrc") as planes:
        assert planes.axes.letters == letters


def test_sizes_go_through_a_tiff(tmp_path):
    copy_planes(save(tmp_path / "a.mrc", random_pixels((5, 9, 8)).astype("int16"), "volume"), tmp_path / "a.tif")
    copy_planes(tmp_path / "a.tif", tmp_path / "b.mrc")
    assert mrcfile.open(tmp_path / "b.mrc").voxel_size.tolist() == pytest.approx((1.25, 1.25, 1.25))


def test_what_an_mrc_cannot_hold(tmp_path):
    with pytest.raises(PictureError, match=r"MRC cannot hold uint8; write .tiff instead, or add --dtype float32"):
        check_planes_output(tmp_path / "a.mrc", ArrayPlanes(random_pixels((5, 9, 8)), Axes("TYX")))
    with pytest.raises(PictureError, match="MRC holds the axes TYX, ZYX or TZYX, not CYX"):
        check_planes_output(tmp_path / "a.mrc", ArrayPlanes(random_pixels((5, 9, 8), "uint16"), Axes("CYX")))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:900], "damaged or cut short"),
        (lambda data: data[:1300], "damaged"),
        (lambda data: b"nothing" * 300, "damaged"),
        (lambda data: b"\xff\xff\xff\x7f" * 3 + data[12:], "damaged"),
        (lambda data: data[:12] + b"\x04\0\0\0" + data[16:], "damaged"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, damage, message):
    path = save(tmp_path / "a.mrc", random_pixels((5, 9, 8), "uint16"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PictureError, match=message) as caught:
        open_planes(path)
    assert "\n" not in str(caught.value)


def test_a_remark_is_a_label_as_long_as_there_is_room(tmp_path):
    path = save(tmp_path / "0.mrc", random_pixels((2, 9, 8)).astype("int16"))
    for number in range(10):
        remark = f"noise: level {number}" + 70 * "."
        copy_with_remark(tmp_path / f"{number}.mrc", tmp_path / f"{number + 1}.mrc", remark)
    assert mrcfile.validate(tmp_path / "10.mrc")
    before = mrcfile.open(path).get_labels()
    added = [f"torchdenoise: noise: level {number}".ljust(80, ".") for number in range(10 - len(before))]
    assert mrcfile.open(tmp_path / "10.mrc").get_labels() == before + added


def test_a_single_picture_has_its_remarks_as_a_label(tmp_path):
    picture = Picture.from_array(random_pixels((9, 8)).astype("int8")).with_remarks(["noise: white"])
    write_picture(tmp_path / "out.mrc", picture.image, picture)
    assert mrcfile.validate(tmp_path / "out.mrc")
    assert mrcfile.open(tmp_path / "out.mrc").get_labels()[-1] == "torchdenoise: noise: white"
