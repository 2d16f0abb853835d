from pathlib import Path

import numpy as np
import pytest

from torchdenoise.data import Picture, read_picture, write_picture

GAP = 6


@pytest.fixture
def demo(script, tmp_path, monkeypatch):
    """The script as a module, with few steps, in an empty working folder."""
    module = script("demo")
    whole = module.denoise.run
    monkeypatch.setattr(module.denoise, "run", lambda words: whole([*words, "--max-steps", "2"]))
    monkeypatch.chdir(tmp_path)
    return module


def noisy_file(path, dtype=np.uint8, shape=(20, 30, 3), high=255):
    array = np.random.default_rng(0).integers(0, high, shape).astype(dtype)
    picture = Picture.from_array(array)
    write_picture(path, picture.image, picture)
    return path


def files():
    return sorted(path.name for path in Path("demo").iterdir())


def size(path):
    return tuple(read_picture(path).image.shape[1:])


def test_example(demo, capsys):
    assert demo.main([]) == 0
    assert files() == ["denoised.png", "noisy.png", "side_by_side.png"]
    assert size("demo/noisy.png") == size("demo/denoised.png") == (3, 256, 256)
    channels, height, width = size("demo/side_by_side.png")
    assert channels == 3
    assert height > 256
    assert width == 3 * 256 + 2 * GAP
    out = capsys.readouterr().out
    assert "noisy: PSNR 20.30 dB, SSIM 0." in out  # the same noise on every machine
    assert "denoised: PSNR" in out


def test_second_run_replaces_the_first(demo):
    assert demo.main([]) == 0
    before = Path("demo/noisy.png").read_bytes()
    Path("demo/noisy.png").write_bytes(b"")
    Path("demo/side_by_side.png").write_bytes(b"")
    assert demo.main([]) == 0
    assert Path("demo/noisy.png").read_bytes() == before
    assert size("demo/side_by_side.png")[0] == 3


def test_own_picture(demo, capsys):
    assert demo.main([str(noisy_file(Path("mine.png")))]) == 0
    assert files() == ["mine_denoised.png", "side_by_side.png"]
    assert size("demo/mine_denoised.png") == (3, 20, 30)
    assert size("demo/side_by_side.png")[2] == 2 * 30 + GAP
    assert "PSNR" not in capsys.readouterr().out


def test_own_grey_16_bit_picture_with_alpha(demo):
    path = noisy_file(Path("mine.tif"), np.uint16, (20, 30, 2), high=4000)
    assert demo.main([str(path)]) == 0
    assert read_picture("demo/mine_denoised.tif").scaling.dtype == np.uint16
    assert size("demo/side_by_side.png")[0] == 3


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.png", None, "no such file"),
        ("text.png", b"not a picture", "is not a PNG, "),
        ("text.txt", b"not a picture", "is not supported"),
    ],
)
def test_bad_picture_is_one_line(demo, capsys, name, content, words):
    if content is not None:
        Path(name).write_bytes(content)
    assert demo.main([name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert name in line
    assert words in line


def test_folder_and_two_words_are_one_line(demo, capsys):
    Path("scans").mkdir()
    assert demo.main(["scans"]) == demo.main(["my", "picture.png"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert not Path("demo").exists()


def test_file_in_the_place_of_the_folder(demo, capsys):
    Path("demo").touch()
    assert demo.main([]) == 2
    assert capsys.readouterr().err.startswith("torchdenoise: demo: ")


def test_interrupt(demo, capsys, monkeypatch):
    def stop(words):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.denoise, "run", stop)
    assert demo.main([]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1
