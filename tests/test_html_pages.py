"""HTML pages: what a browser may run and load, and what texts can do. How they look: ``test_browser.py``."""

import base64
import hashlib
import re

import pytest

from torchdenoise.charts import COLOURS, COLOURS_ON_BLACK
from torchdenoise.html_pages import html_page

TEMPLATE = """{% extends "base.html.jinja" %}
{% block main %}<p>{{ text }}</p>{% endblock %}
{% block script %}document.title = "a & b";{% endblock %}
"""


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Return the name of a package with a template."""
    package = tmp_path / "stranger"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "own.html.jinja").write_text(TEMPLATE)
    (package / "plain.html.jinja").write_text(TEMPLATE.partition("{% block script")[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    return "stranger"


def digest(text):
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def test_a_browser_takes_the_script_and_style_of_the_page_and_no_other(stranger):
    html = html_page(stranger, "own.html.jinja", title="A page", text="")
    ((style,), (script,)) = (re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL) for tag in ("style", "script"))
    assert script == 'document.title = "a & b";'
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src '{digest(style)}'",
        f"script-src '{digest(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "script" not in html_page(stranger, "plain.html.jinja", title="A page", text="")


def test_texts_are_neither_html_nor_steer_the_browser(stranger):
    html = html_page(stranger, "own.html.jinja", title="<b>", text="</p>\u202e")
    assert "<title>&lt;b&gt;</title>" in html
    assert "<p>&lt;/p&gt;\\u202e</p>" in html


def test_the_style_has_a_colour_for_each_class_in_both_schemes(stranger):
    html = html_page(stranger, "plain.html.jinja", title="", text="")
    light, dark = (
        dict(re.findall(r"\.c(\d+) { --series: (.*?); }", part)) for part in html.split("@media (prefers", 1)
    )
    assert light == {str(number): colour for number, colour in enumerate(COLOURS)}
    assert dark == {str(number): colour for number, colour in enumerate(COLOURS_ON_BLACK)}
