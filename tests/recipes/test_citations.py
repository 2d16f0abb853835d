"""The file of references: complete, and about classes that exist."""

import re

from torchdenoise import denoisers
from torchdenoise.recipes.citations import foreign_classes, named_classes, references
from torchdenoise.registry import all_classes

FIELDS = {
    "article": {"author", "title", "journal", "volume", "pages", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"author", "title", "howpublished", "year"},
    "software": {"author", "title", "version"},
}
ONLY_A_REPORT = {"BatchNormUNet"}
"""From a report of students, of which we know neither the year nor the authors' first names."""


def papers():
    return [reference for reference in references() if reference.classes]


def test_keys_are_unique_and_the_last_one_is_the_package():
    keys = [reference.key for reference in references()]
    assert len(keys) == len(set(keys)) > 25
    assert [reference.key for reference in references() if not reference.classes] == ["torchdenoise"] == keys[-1:]


def test_entries_are_whole():
    for reference in references():
        kind = re.match(r"@(\w+)\{", reference.text)[1]
        fields = re.findall(r"^  (\w+) += \{\S", reference.text, re.MULTILINE)
        assert FIELDS[kind] <= set(fields), reference.key
        assert len(fields) == len(set(fields)), reference.key
        assert reference.text.count("{") == reference.text.count("}"), reference.key


def test_the_year_is_that_of_the_key():
    for reference in papers():
        year = re.search(r"^  year += \{(\d{4})\},$", reference.text, re.MULTILINE)[1]
        assert re.fullmatch(rf"[a-z]+{year}[a-z0-9]+", reference.key)


def test_the_classes_of_references_exist():
    known = {cls.__name__ for cls in all_classes()} | {"Muon"}
    assert {name for reference in papers() for name in reference.classes} <= known
    assert hasattr(denoisers, "Muon")


def test_every_class_with_a_paper_has_a_reference():
    bases = (denoisers.Denoiser, denoisers.DenoisingLoss, denoisers.Network, denoisers.Downsampler)
    bases += (denoisers.Domain, denoisers.Readout)
    named = {name for reference in papers() for name in reference.classes}
    ours = [cls for cls in all_classes() if issubclass(cls, bases) and cls.__module__.startswith("torchdenoise.")]
    from_papers = {cls.__name__ for cls in ours if re.search(r"\b(19|20)\d\d\b", cls.source)}
    assert len(from_papers) > 40
    assert from_papers - ONLY_A_REPORT <= named


def test_classes_are_found_however_they_are_named():
    recipe = {"model": {"class_path": "ZSN2N", "init_args": {"loss": ["torchdenoise.denoisers.GRDLoss", 3, None]}}}
    assert named_classes(recipe) == ["ZSN2N", "GRDLoss"]
    assert named_classes({"model": "ZSN2N"}) == ["ZSN2N"]
    assert named_classes({"model": "ZSN2N", "data": "NLMeans"}) == ["ZSN2N"]


def test_classes_of_libraries_are_not_foreign():
    optimizer = {"class_path": "torch.optim.Adam"}
    assert foreign_classes({"model": {"class_path": "mine.Net", "init_args": {"optimizer": optimizer}}}) == ["mine.Net"]
