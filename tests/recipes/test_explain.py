"""jsonargparse's reports in one line."""

from torchdenoise.recipes.explain import explain


def test_a_report_that_is_of_no_known_form_is_still_one_line():
    assert explain('Parser key "a.b":\n  odd\n  thing', [], []) == "a.b: odd thing"
