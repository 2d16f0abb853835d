"""TIFF: layouts, tags and pages."""

import re
import struct

import numpy as np
import pytest
import tifffile
from helpers import random_pixels, save_picture, stored_pixels
from PIL import Image

from torchdenoise.data import (
    ArrayPlanes,
    Axes,
    check_output,
    open_planes,
    read_picture,
    scene_names,
    write_picture,
    write_planes,
)
from torchdenoise.errors import PictureError


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", [bool, "uint8", "uint16"])
def test_tiff_of_one_bit_or_with_white_as_zero_reads_as_grey(tmp_path, dtype, photometric):
    array = random_pixels() > 99 if dtype is bool else random_pixels(dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric=photometric)
    picture = read_picture(tmp_path / "a.tif", data_range=255 if dtype is bool else None)
    grey = array.astype("uint8") * 255 if dtype is bool else array
    inverted = photometric == "miniswhite"
    np.testing.assert_array_equal(picture.restore(picture.image), np.iinfo(grey.dtype).max - grey if inverted else grey)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "tile": (16, 16)},
        {"compression": "zstd"},
        {"bigtiff": True, "byteorder": ">"},
    ],
    ids=str,
)
def test_tiff_keeps_compression_resolution_and_description(tmp_path, options):
    array, tags = random_pixels((20, 30, 3), "uint16"), [(274, "H", 1, 6, True)]
    description = "ImageJ=1.54\nunit=micron\n"
    options |= {"resolution": (12.5, 25), "resolutionunit": 3, "iccprofile": b"profile", "description": description}
    save_picture(tmp_path / "in.tif", array, metadata=None, extratags=tags, **options)
    picture = read_picture(tmp_path / "in.tif")
    assert picture.dpi == pytest.approx((31.75, 63.5))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        for tag in ("Compression", "Predictor", "XResolution", "YResolution", "ResolutionUnit", "ImageDescription"):
            assert after.pages[0].tags.valueof(tag) == before.pages[0].tags.valueof(tag)
        assert after.pages[0].tags["Orientation"].value == 6
        assert after.pages[0].tags["InterColorProfile"].value == b"profile"
        np.testing.assert_array_equal(after.asarray(), array)


def test_planar_tiff_stays_planar(tmp_path):
    array = random_pixels((3, 9, 7))
    tifffile.imwrite(tmp_path / "in.tif", array, photometric="rgb", planarconfig="separate")
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), np.moveaxis(array, 0, -1))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), array)


def test_lossy_tiff_is_read_and_written_without_loss(tmp_path):
    picture = read_picture(save_picture(tmp_path / "in.tif", random_pixels((16, 16, 3)), compression="jpeg"))
    write_picture(tmp_path / "out.tif", picture.image, picture)
    np.testing.assert_array_equal(stored_pixels(tmp_path / "out.tif"), picture.restore(picture.image))


def test_previews_do_not_count_as_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(random_pixels(), metadata=None)
        writer.write(random_pixels((3, 3)), subfiletype=1, metadata=None)
    assert read_picture(tmp_path / "a.tif").shape == (9, 7)


def test_premultiplied_alpha_stays_in_tiff(tmp_path):
    picture = read_picture(save_picture(tmp_path / "a.tif", random_pixels((9, 7, 4)), extrasamples=["assocalpha"]))
    write_picture(tmp_path / "b.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].extrasamples == (1,)
    with pytest.raises(PictureError, match="premultiplied"):
        check_output(tmp_path / "b.png", picture)


def test_a_stack_described_by_its_first_page_is_refused(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((5, 24, 30), "u2"), photometric="minisblack", truncate=True)
    with pytest.raises(PictureError, match=r"stack.tif: holds 5 pages; split it into single pages first"):
        read_picture(path)


FRAMES = {"T": 3, "Z": 2, "C": 2, "Y": 20, "X": 34, "S": 3, "Q": 3}


def stack(letters, dtype="uint16"):
    return random_pixels(tuple(FRAMES[letter] for letter in letters), dtype)


def save_stack(path, array, letters, kind):
    """Write a stack by tifffile alone."""
    names = {"axes": letters}
    if kind == "imagej":
        times = {
            "unit": "um",
            "spacing": 0.5,
            "finterval": 2.0,
            "Info": "a note",
            "Ranges": (0.0, 9.0),
            "Labels": ["a"],
        }
        tifffile.imwrite(path, array, imagej=True, metadata=names | times, resolution=(9.26, 9.26))
    elif kind == "ome":
        scale = {"PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm"}
        tifffile.imwrite(path, array, ome=True, metadata=names | scale, compression="zlib", predictor=True)
    elif kind == "pages":
        with tifffile.TiffWriter(path) as writer:
            for number, page in enumerate(array):
                tags = [(315, "s", 0, f"author {number}", False), (65000, "d", 2, (1.5, number), False)]
                writer.write(page, metadata=None, description=f"page {number}", extratags=tags, contiguous=False)
    else:
        tifffile.imwrite(path, array, metadata=names, photometric="minisblack", **kind)
    return path


def copied(path, target, dtype=None):
    """Write all planes of a file, from the last to the first; return its axes and what is lost."""
    with open_planes(path) as planes:
        values = ((number, planes.plane(number).astype(dtype or planes.dtype)) for number in range(len(planes))[::-1])
        write_planes(target, values, planes, dtype)
        return planes.axes.letters, planes.lost


@pytest.mark.parametrize(
    ("letters", "kind"),
    [
        ("TYX", "imagej"),
        ("TZCYX", "imagej"),
        ("TYX", "ome"),
        ("TZCYX", "ome"),
        ("CTZYX", {"tile": (16, 16), "compression": "lzw"}),
        ("TCYX", {"bigtiff": True, "byteorder": ">"}),
        ("TZYX", {"truncate": True}),
        ("QYX", "pages"),
    ],
    ids=str,
)
def test_stacks_keep_axes_pixels_and_metadata(tmp_path, letters, kind):
    array = stack(letters)
    path, target = save_stack(tmp_path / "in.tif", array, letters, kind), tmp_path / "out.tif"
    axes, lost = copied(path, target)
    assert axes == letters if kind != "pages" else axes.endswith("YX")
    assert not lost
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(target) as after:
        np.testing.assert_array_equal(after.asarray(), array)
        assert after.series[0].axes == before.series[0].axes
        assert after.imagej_metadata == before.imagej_metadata
        assert after.byteorder == before.byteorder
        assert after.is_bigtiff == before.is_bigtiff
        assert len(after.series[0].levels) == 1
        if kind == "imagej":
            assert after.imagej_metadata["Info"] == "a note"
            assert after.series[0].dataoffset  # ImageJ reads the first page's place, and goes on from there
        if after.is_ome:
            assert tifffile.xml2dict(after.ome_metadata) == tifffile.xml2dict(before.ome_metadata)
        for number in range(len(before.pages) if kind == "pages" else 1):
            old, new = (tiff.pages[number].aspage() for tiff in (before, after))
            for name in ("compression", "predictor", "resolution", "resolutionunit", "photometric", "is_tiled"):
                assert getattr(new, name) == getattr(old, name), name
            for code in (315, 65000) if kind == {"truncate": True} else (270, 315, 65000):
                assert new.tags.valueof(code) == old.tags.valueof(code)


def test_a_pyramid_is_read_at_full_resolution(tmp_path):
    array = stack("TYX")
    with tifffile.TiffWriter(tmp_path / "in.tif", ome=True) as writer:
        writer.write(array, subifds=1, metadata={"axes": "TYX"})
        writer.write(array[:, ::2, ::2], subfiletype=1)
    axes, lost = copied(tmp_path / "in.tif", tmp_path / "out.tif")
    assert (axes, lost) == ("TYX", ("the smaller copies of a pyramid",))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), array)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_the_samples_of_a_page_are_channels_unless_they_are_colours(tmp_path, planarconfig):
    array = random_pixels((9, 8, 5))
    stored = array if planarconfig == "contig" else np.moveaxis(array, -1, 0)
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, stored, photometric="minisblack", planarconfig=planarconfig)
    with open_planes(path) as planes:
        assert planes.axes.letters.replace("YX", "") == "C"
        np.testing.assert_array_equal(planes.plane(3), array[..., 3])
    copied(path, tmp_path / "out.tif")
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        np.testing.assert_array_equal(after.asarray(), stored)
        assert after.pages[0].samplesperpixel == before.pages[0].samplesperpixel == 5
        assert after.pages[0].planarconfig == before.pages[0].planarconfig


def test_rgb_stacks_keep_transparency_and_single_pictures_are_no_stacks(tmp_path):
    array = random_pixels((3, 9, 8, 4))
    tifffile.imwrite(
        tmp_path / "in.tif", array, photometric="rgb", extrasamples=["unassalpha"], metadata={"axes": "ZYXS"}
    )
    assert copied(tmp_path / "in.tif", tmp_path / "out.tif") == ("ZYXS", ())
    with tifffile.TiffFile(tmp_path / "out.tif") as after:
        assert after.pages[0].extrasamples == (2,)
        np.testing.assert_array_equal(after.asarray(), array)
    for shape in ((9, 8), (9, 8, 3), (9, 8, 4)):
        assert open_planes(save_picture(tmp_path / "one.tif", random_pixels(shape))) is None


def test_a_float_result_keeps_the_metadata(tmp_path):
    path = save_stack(tmp_path / "in.tif", stack("TZCYX"), "TZCYX", "ome")
    copied(path, tmp_path / "out.tif", np.float32)
    with tifffile.TiffFile(tmp_path / "out.tif") as after:
        assert after.asarray().dtype == np.float32
        pixels = tifffile.xml2dict(after.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (pixels["Type"], pixels["PhysicalSizeX"]) == ("float", 0.1)


def test_axes_that_are_given_are_believed_if_pages_can_be_stored_so(tmp_path):
    path = save_stack(tmp_path / "in.tif", stack("QYX"), "QYX", "pages")
    with open_planes(path, "tyx") as planes:
        assert planes.axes.letters == "TYX"
    for letters, message in (("YXT", "the last ones must be YX"), ("TZYX", r"in.tif: axes TZYX are 4, but the shape")):
        with pytest.raises(PictureError, match=message):
            open_planes(path, letters)


def test_pictures_of_different_sizes_are_scenes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for size in (8, 9):
            writer.write(random_pixels((size, 9)), metadata=None, photometric="minisblack")
    with pytest.raises(PictureError, match=r"a.tif: holds 2 scenes \(1, 2\); choose one with --scene \(scene=\)"):
        open_planes(tmp_path / "a.tif")
    assert scene_names(tmp_path / "a.tif") == ["", ""]
    with open_planes(tmp_path / "a.tif", scene=2) as planes:
        assert planes.shape == (9, 9)
        np.testing.assert_array_equal(planes.plane(0), random_pixels((9, 9)))


SERIES = {
    "dusk": ("ZYX", {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeZ": 2.0}),
    "dawn": ("TCYX", {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]}}),
    "noon <1>": ("YX", {}),
}


def save_series(path):
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, (letters, metadata) in SERIES.items():
            array, described = stack(letters), {"axes": letters, "Name": name, **metadata}
            writer.write(array, photometric="minisblack", metadata=described)
    return path


@pytest.mark.parametrize("name", SERIES)
def test_a_series_of_an_ome_tiff_becomes_a_file_of_its_own(tmp_path, name):
    path = save_series(tmp_path / "a.ome.tif")
    assert scene_names(path) == list(SERIES)
    letters, metadata = SERIES[name]
    with open_planes(path, scene=name) as planes:
        assert planes.axes.letters == letters
        assert planes.lost == ()
        write_planes(tmp_path / "b.ome.tif", ((each, planes.plane(each)) for each in range(len(planes))), planes)
        found = planes.calibration
    assert found.steps.get("X") == metadata.get("PhysicalSizeX")
    assert found.channels == (("DAPI", "GFP") if name == "dawn" else ())
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tiff:
        assert [(each.kind, each.name) for each in tiff.series] == [("ome", name)]
        np.testing.assert_array_equal(tiff.asarray(), stack(letters))
        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
    assert image["Name"] == name
    assert image["Pixels"].get("PhysicalSizeX") == metadata.get("PhysicalSizeX")


def test_references_to_other_images_do_not_stay(tmp_path):
    path = save_series(tmp_path / "a.ome.tif")
    with tifffile.TiffFile(path) as tiff:
        xml = tiff.ome_metadata
    plate = '<Plate ID="Plate:0"><ImageRef ID="Image:0"/><ImageRef ID="Image:1"/><ImageRef ID="Image:2"/></Plate>'
    tifffile.tiffcomment(path, xml.replace("</OME>", f"{plate}</OME>").encode())
    with open_planes(path, scene=2) as planes:
        assert '<Plate ID="Plate:0"><ImageRef ID="Image:1"/></Plate>' in planes.ome
        assert planes.ome.count("<Image ") == 1


def test_one_file_of_a_set_is_the_series_that_lies_in_it(tmp_path):
    """Each position in a file of its own, all of them described in each file."""
    path = save_series(tmp_path / "a.ome.tif")
    with tifffile.TiffFile(path) as tiff:
        xml = tiff.ome_metadata
    for file, (letters, _) in zip("bcd", SERIES.values(), strict=True):
        tifffile.imwrite(tmp_path / f"{file}.ome.tif", stack(letters), photometric="minisblack", metadata=None)
        described = xml
        for other, count, start in (("b", 2, 0), ("c", 6, 2), ("d", 1, 8)):
            uuid = f'<UUID FileName="{other}.ome.tif">urn:uuid:{other}</UUID></TiffData>'
            old = f'<TiffData IFD="{start}" PlaneCount="{count}"/>'
            assert old in described
            described = described.replace(old, f'<TiffData IFD="0" PlaneCount="{count}">{uuid}')
        described = re.sub(r'UUID="urn:uuid:[^"]*"', f'UUID="urn:uuid:{file}"', described, count=1)
        tifffile.tiffcomment(tmp_path / f"{file}.ome.tif", described.encode())
    assert [scene_names(tmp_path / f"{file}.ome.tif") for file in "bcd"] == [[name] for name in SERIES]
    for missing in (False, True):
        if missing:
            (tmp_path / "b.ome.tif").unlink()
        with open_planes(tmp_path / "c.ome.tif") as planes:
            assert (planes.axes.letters, planes.calibration.steps["X"]) == ("TCYX", 0.25)
            np.testing.assert_array_equal(planes.plane(5), stack("TCYX")[-1, -1])


def test_an_array_becomes_a_tiff_with_its_axes(tmp_path):
    array = stack("YXT")
    planes = ArrayPlanes(array, Axes("YXT"))
    write_planes(tmp_path / "a.tif", ((number, planes.plane(number)) for number in range(3)), planes)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.series[0].axes == "TYX"
        np.testing.assert_array_equal(tiff.asarray(), array.transpose(2, 0, 1))


def single_ome(path, array, dtype=None):
    scale = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, array, photometric="minisblack" if array.ndim == 2 else "rgb", ome=True, metadata=scale)
    return path


@pytest.mark.parametrize("dtype", ["same", "float32"])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3)])
def test_a_single_ome_tiff_stays_one(tmp_path, shape, dtype):
    array = random_pixels(shape)
    picture = read_picture(single_ome(tmp_path / "a.ome.tif", array)).stored_as(dtype)
    write_picture(tmp_path / "b.ome.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tiff:
        assert tiff.series[0].kind == "ome"
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        np.testing.assert_allclose(tiff.asarray(), array, atol=1e-4)
    assert (pixels["PhysicalSizeX"], pixels["Type"]) == (0.25, "uint8" if dtype == "same" else "float")
    assert read_picture(tmp_path / "b.ome.tif").calibration == picture.calibration


def test_the_picture_of_a_set_does_not_describe_the_others(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", random_pixels((9, 8)), photometric="minisblack", metadata=None)
    images = "".join(
        f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" Type="uint8" '
        f'SizeX="8" SizeY="9" SizeC="1" SizeZ="1" SizeT="1" PhysicalSizeX="{number + 1}.5"><TiffData IFD="0" '
        f'PlaneCount="1"><UUID FileName="{name}.ome.tif">urn:uuid:{name}</UUID></TiffData></Pixels></Image>'
        for number, name in enumerate("ab")
    )
    tifffile.tiffcomment(tmp_path / "a.ome.tif", f'<OME UUID="urn:uuid:a">{images}</OME>'.encode())
    picture = read_picture(tmp_path / "a.ome.tif")
    assert picture.calibration.steps == {"X": 1.5}
    write_picture(tmp_path / "c.ome.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "c.ome.tif") as tiff:
        assert [each.name for each in tiff.series] == ["a"]
        assert "FileName" not in tiff.ome_metadata


def test_one_page_is_read_for_one_plane(tmp_path, monkeypatch):
    path, read = save_stack(tmp_path / "in.tif", stack("TZCYX"), "TZCYX", "ome"), []
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", None)
    monkeypatch.setattr(tifffile.TiffFile, "asarray", None)
    for cls in (tifffile.TiffPage, tifffile.TiffFrame):
        one = cls.asarray
        monkeypatch.setattr(cls, "asarray", lambda page, one=one: read.append(page.index) or one(page))
    with open_planes(path) as planes:
        assert not read
        planes.plane(5)
        assert set(read) == {5}


def test_an_interrupted_stack_leaves_nothing(tmp_path):
    path = save_stack(tmp_path / "in.tif", stack("TYX"), "TYX", "imagej")

    def stopping(planes):
        yield 0, planes.plane(0)
        raise KeyboardInterrupt

    with open_planes(path) as planes, pytest.raises(KeyboardInterrupt):
        write_planes(tmp_path / "out.tif", stopping(planes), planes)
    assert [each.name for each in tmp_path.iterdir()] == ["in.tif"]


@pytest.mark.parametrize("big", [False, True])
def test_pages_without_end_are_refused(tmp_path, monkeypatch, big):
    head, count, pointer = (b"II+\0\x08\0\0\0", "<Q", "<Q") if big else (b"II*\0", "<H", "<I")
    first, tag = (16, 20) if big else (8, 12)
    page = struct.pack(count, 1) + bytes(tag)
    size = len(page) + struct.calcsize(pointer)
    (tmp_path / "loop.tif").write_bytes(head + struct.pack(pointer, first) + page + struct.pack(pointer, first))
    with pytest.raises(PictureError, match=r"loop.tif: damaged \(its pages form a loop\)"):
        open_planes(tmp_path / "loop.tif")
    monkeypatch.setattr("torchdenoise.data.formats.tiff.MAX_PAGES", 5)
    pages = [page + struct.pack(pointer, first + size * number) for number in range(1, 9)]
    (tmp_path / "many.tif").write_bytes(head + struct.pack(pointer, first) + b"".join(pages))
    with pytest.raises(PictureError, match=r"many.tif: lists more than 5 pages"):
        open_planes(tmp_path / "many.tif")


def test_a_page_without_its_data_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.tif") as writer:
        for _ in range(3):
            writer.write(np.zeros((64, 64), np.uint16), contiguous=False, metadata=None)
    with tifffile.TiffFile(tmp_path / "in.tif", mode="r+") as tiff:
        tiff.pages[1].tags[279].overwrite([60])
    with open_planes(tmp_path / "in.tif") as planes:
        assert planes.plane(0).shape == planes.plane(2).shape == (64, 64)
        with pytest.raises(PictureError, match="60 bytes cannot hold the size in its header"):
            planes.plane(1)


def test_palettes_and_cmyk_are_converted_and_said(tmp_path):
    colours = Image.fromarray(random_pixels((16, 12, 3)))
    for mode, note in (("P", "has a palette: converted"), ("CMYK", "is CMYK: converted")):
        stored = colours.convert(mode)
        stored.save(tmp_path / "a.tif")
        picture = read_picture(tmp_path / "a.tif")
        np.testing.assert_array_equal(picture.restore(picture.image), np.asarray(stored.convert("RGB")))
        assert picture.notes[0].startswith(note)
        write_picture(tmp_path / "b.tif", picture.image, picture, overwrite=True)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), np.asarray(stored.convert("RGB")))


def test_frames_that_tifffile_took_for_colours_are_said(tmp_path):
    array = random_pixels((3, 16, 12))
    tifffile.imwrite(tmp_path / "frames.tif", array, photometric="rgb", planarconfig="separate")  # so by default, too
    (note,) = read_picture(tmp_path / "frames.tif").notes
    assert note.startswith("its planes are taken for the colours of one picture")
    assert "--axes TYX" in note
    with open_planes(tmp_path / "frames.tif", "TYX") as planes:
        np.testing.assert_array_equal(np.stack([planes.plane(number) for number in range(3)]), array)
    for name, options in {"planar": {"planarconfig": "separate", "metadata": None}, "pixels": {}}.items():
        stored = array if name == "planar" else np.moveaxis(array, 0, -1)
        tifffile.imwrite(tmp_path / f"{name}.tif", stored, photometric="rgb", **options)
        assert read_picture(tmp_path / f"{name}.tif").notes == ()


def test_the_colours_in_which_imagej_shows_a_picture_are_no_palette(tmp_path):
    array, table = random_pixels(), np.zeros((3, 256), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="palette", colormap=table, description="ImageJ=1.54f\n")
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.restore(picture.image), array)
    assert picture.notes == ("has ImageJ's colours for display: left out, the values count",)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_xmp_and_the_tags_of_a_geotiff_are_kept(tmp_path, byteorder):
    array = random_pixels(dtype="float32")
    array[2, 3] = -9999
    place = [
        (33550, "d", 3, (0.5, 0.5, 0.0), True),
        (42113, "s", 0, "-9999", True),
        (34735, "H", 4, (1, 1, 0, 0), True),
    ]
    xmp = (700, "B", 4, b"<x/>", True)
    tifffile.imwrite(tmp_path / "a.tif", array, extratags=[*place, xmp], metadata=None, byteorder=byteorder)
    picture = read_picture(tmp_path / "a.tif")
    assert (picture.xmp, picture.holes.sum()) == (b"<x/>", 1)
    write_picture(tmp_path / "b.tif", picture.image, picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        tags = tiff.pages[0].tags
        assert [tags[code].value for code, *_ in place] == [value for *_, value, _ in place]
        assert tags[700].value == b"<x/>"
    assert read_picture(tmp_path / "b.tif").holes.sum() == 1
