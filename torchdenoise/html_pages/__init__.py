"""Pages in one look: HTML files that need no other file, and run no script and apply no style but their own."""

import base64
import hashlib
from typing import Any

import jinja2

from torchdenoise.charts import COLOURS, COLOURS_ON_BLACK
from torchdenoise.errors import printable


def html_page(package: str, template: str, **values: Any) -> str:
    """Return the HTML of a template that extends ``base.html.jinja``.

    Texts cannot steer the browser: they are escaped, and characters that turn their direction become visible.

    Args:
        package: that holds the template and what it includes.
        template: its file name.
        values: by their names in the template; ``title`` and what its blocks show.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(each, "") for each in (package, __name__)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=_steering_nothing,
    )
    environment.filters["digest"] = _digest
    environment.globals.update(colours=COLOURS, colours_on_black=COLOURS_ON_BLACK)
    return environment.get_template(template).render(values)


def _steering_nothing(value: Any) -> Any:
    """Return a value of a page, a text without characters that turn its direction; charts as they are."""
    return printable(value) if type(value) is str else value


def _digest(source: str) -> str:
    """Return the hash by which a Content-Security-Policy knows a script or a style sheet."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
