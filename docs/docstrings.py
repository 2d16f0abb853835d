"""Griffe extension: docstrings as the API pages need them."""

from typing import Any

import griffe


class Readable(griffe.Extension):
    """``Example:`` becomes the section that Griffe shows as code; ``::`` before a formula becomes a colon."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring is not None:
            text = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
            obj.docstring.value = text.replace("::\n\n    ", ":\n\n    ")
