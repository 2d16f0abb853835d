"""jsonargparse's reports in one line."""

from argparse import Namespace

import pytest

from torchdenoise.recipes.explain import explain, option_names


def test_a_report_that_is_of_no_known_form_is_still_one_line():
    assert explain('Parser key "a.b":\n  odd\n  thing', [], []) == "a.b: odd thing"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "Parser key \"model\":\n  Parser key \"loss\":\n    Option 'weigth' is not accepted",
            "model.loss.weigth: no such option (did you mean model.loss.weight?)",
        ),
        ("Unrecognized arguments: --weight=x", "weight: no such option (did you mean model.loss.weight?)"),
        ("Unrecognized arguments: --model.weight=x", "model.weight: no such option (did you mean model.loss.weight?)"),
        (
            'Parser key "model":\n Parser key "optimizer":\n Parser key "lr":\n Subtypes: [<class \'float\'>, <class '
            "'torch.Tensor'>]\n Expected a dot import path string: x\n Given value: x. Got value: Namespace()",
            "model.optimizer.lr: expected float, got x",
        ),
        ("Unrecognized arguments: --dat.path=x", "dat.path: no such option"),
        ("Group 'model' does not accept option 'los'", "model.los: no such option (did you mean model.loss.weight?)"),
        (
            'Parser key "model.loss":\n Problem with given class_path \'my.OnCrops\':\n  the following arguments are '
            "required: loss",
            'model.loss: OnCrops needs loss: give both at once, model.loss={"class_path": "OnCrops", '
            '"init_args": {"loss": ...}}',
        ),
        ("Parser key \"a.b\":\n Expected a <class 'int'>. Got value: x", "a.b: expected int, got x"),
        (
            "Parser key \"model\":\n Problem with given class_path 'mine.Sub':\n  No module named 'mine'",
            "model: mine.Sub: no module mine was found",
        ),
        (
            "Parser key \"model\":\n Problem with given class_path 'mine.ZSN2N':\n  No module named 'absent'",
            "model: mine.ZSN2N: no module absent was found (did you mean ZSN2N?)",
        ),
        (
            "Parser key \"model\":\n Problem with given class_path 'argparse.Namespac':\n  Importing "
            "'argparse.Namespac' is not allowed",
            "model: the module argparse has no Namespac (did you mean Namespace?)",
        ),
        (
            "Parser key \"model\":\n Problem with given class_path 'argparse.Namespac':\n  module 'argparse' has no "
            "attribute 'Namespac'",
            "model: the module argparse has no Namespac (did you mean Namespace?)",
        ),
        ('Parser key "model":\n Expected a dot import path string: ZSN2X', "model: no class ZSN2X fits here (did you "
         "mean ZSN2N?)"),
    ],
)  # fmt: skip
def test_reports_become_one_line_with_the_nearest_name(message, line):
    assert explain(message, ["model.loss.weight"], ["ZSN2N"]) == line


def test_options_of_a_configuration_are_named_as_on_the_command_line():
    network = Namespace(class_path="SmallCNN", init_args=Namespace(width=3))
    config = Namespace(model=Namespace(class_path="ZSN2N", init_args=Namespace(network=network)), seed=0)
    assert list(option_names(config)) == ["model", "model.network", "model.network.width", "seed"]
