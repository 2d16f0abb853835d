"""The HTML pages in a real browser: at two widths, light and dark, by keyboard, by touch and without JavaScript."""

import io
import re
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import correlated_noise, write_png
from PIL import Image
from playwright.sync_api import sync_playwright

from torchdenoise.benchmarking import compare
from torchdenoise.inspection import inspect_noise, page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LONG = "tv-under-a-name-that-is-much-longer-than-a-narrow-screen-is-wide"
WIDTHS = (390, 1440)
PAGES = ("report", "noise")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

TEXTS = """() => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.closest("title, script, template")) continue;
    let behind = element;
    while (behind && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    const style = getComputedStyle(element), ink = element.closest("svg") ? style.fill : style.color;
    found.push([text, ink, getComputedStyle(behind).backgroundColor]);
  }
  return found;
}"""
"""Every visible text of a page, its colour, and that of the nearest background behind it."""
MARKS = """() => [...document.querySelectorAll("main .line, main circle")].map(mark => {
  const style = getComputedStyle(mark), paper = getComputedStyle(document.body).backgroundColor;
  return [mark.parentElement.getAttribute("class"), style.fill === "none" ? style.stroke : style.fill, paper];
})"""
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter(each =>
  !each.closest(".wide, .legend, svg") && each.getBoundingClientRect().right > innerWidth + 1
).map(each => each.outerHTML.slice(0, 200))"""
FOCUS = """() => {
  const each = document.activeElement, style = getComputedStyle(each), legend = document.querySelector(".legend");
  const place = each.getBoundingClientRect(), bar = legend.getBoundingClientRect();
  return {
    kind: each.type || each.localName, outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    hidden: !legend.contains(each) && bar.top < place.top && place.bottom <= bar.bottom,
    seen: place.top < innerHeight && place.bottom > 0,
  };
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory, coffee):
    """Return the files of a report with a failure and a method of a long name, and of a page of inspected noise."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "clean").mkdir()
    photograph = coffee[0, :, :96, 40:136].permute(1, 2, 0).double().numpy()
    write_png(folder / "clean" / "coffee.png", photograph)
    write_png(folder / "clean" / "damaged.png", photograph)
    (folder / "clean" / "damaged.png").write_bytes((folder / "clean" / "damaged.png").read_bytes()[:-40])
    recipes = {"zsn2n": "zsn2n", "tv": "tv", LONG: "tv"}
    options = {"noise": "gaussian:15,gaussian:50", "max_steps": 20, "threads": 1, "device": "cpu"}
    compare(recipes, folder / "clean", output=folder / "res", command=f"torchdenoise compare {LONG}", **options)
    image = torch.from_numpy(correlated_noise()).permute(2, 0, 1)[None].float()
    sections = [(f"{LONG}.png", inspect_noise(image), image, [("level", LONG)])]
    (folder / "noise.html").write_text(page(sections, f"torchdenoise inspect {LONG}"), encoding="utf-8")
    return {"report": folder / "res" / "report.html", "noise": folder / "noise.html"}


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def show(browser, pages):
    """Return what opens a page by name; afterwards, it must have asked for nothing, and complained of nothing."""
    contexts, names, requests, complaints = [], [], [], []

    def opened(name, width=1440, **options):
        names.append(name)
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        shown = contexts[-1].new_page()
        shown.on("request", lambda request: requests.append(request.url))
        shown.on("console", lambda message: complaints.append(message.text))
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.goto(pages[name].as_uri())
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in requests if not url.startswith("data:")] == [pages[name].as_uri() for name in names]
    assert complaints == []


def contrast(first, second):
    """Return the contrast of two colours as WCAG 2 defines it, from 1 to 21."""

    def luminance(colour):
        values = np.array(re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups(), float) / 255
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_definition():
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_text_and_marks_are_readable_in_both_colour_schemes(show, name, scheme):
    shown = show(name, color_scheme=scheme)
    texts = shown.evaluate(TEXTS)
    assert len({ink for _, ink, _ in texts}) >= 2
    assert [each for each in texts if contrast(*each[1:]) < 4.5] == []
    marks = shown.evaluate(MARKS)
    assert len({colour for _, colour, _ in marks}) >= 3
    assert [each for each in marks if contrast(*each[1:]) < 3] == []
    paper = texts[0][2]
    assert (contrast(paper, "rgb(255, 255, 255)") < 1.5) == (scheme == "light")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_screen(show, name, width):
    shown = show(name, width)
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert shown.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_screen_reader_finds_landmarks_headings_tables_and_texts_for_pictures(show, name):
    shown = show(name)
    for role in ("banner", "main"):
        assert shown.get_by_role(role).count() == 1
    levels = [int(each.evaluate("heading => heading.localName[1]")) for each in shown.get_by_role("heading").all()]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    tables = shown.locator("table")
    assert tables.count() == shown.locator("table > caption").count() > 0
    assert shown.locator("th").count() == shown.locator("th[scope=col], th[scope=row]").count() > 0
    assert shown.locator("tbody tr").count() == shown.locator("tbody th[scope=row]").count()
    pictures = shown.get_by_role("img")
    assert pictures.count() > 1
    assert all(each.get_attribute("alt") or each.get_attribute("aria-label") for each in pictures.all())


def test_links_of_the_report_lead_to_its_parts(show):
    shown = show("report")
    links = shown.get_by_role("navigation", name="Contents").get_by_role("link").all()
    assert len(links) >= 4
    for link in links:
        link.click()
        heading = shown.locator(link.get_attribute("href"))
        top = heading.bounding_box()["y"]
        bar = shown.locator(".legend").bounding_box()
        assert top < 800
        assert not bar["y"] < top < bar["y"] + bar["height"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_every_control_visibly(show, width):
    shown = show("report", width)
    controls = "a, summary, input, select, button, [tabindex]"
    expected = [each.evaluate("each => each.type || each.localName") for each in shown.locator(controls).all()]
    reached = []
    for _ in expected:
        shown.keyboard.press("Tab")
        reached.append(shown.evaluate(FOCUS))
    assert [each["kind"] for each in reached] == expected
    assert {"summary", "a", "checkbox", "div", "button", "range", "select-one"} == set(expected)
    assert all(each["outline"] >= 2 and each["seen"] and not each["hidden"] for each in reached), reached


@pytest.mark.parametrize("script", [True, False])
def test_the_legend_switches_a_method_off_and_on(show, script):
    shown = show("report", java_script_enabled=script)
    marks, others = shown.locator("main .s1"), shown.locator("main .s0")
    charts = shown.locator("figure > svg")
    assert charts.count() == 5
    assert marks.count() == 2 + 1 + 2  # PSNR against time and against level, and pictures
    assert all(each.is_visible() for each in marks.all())
    box = shown.get_by_role("checkbox", name="tv", exact=True)
    box.focus()
    shown.keyboard.press("Space")
    assert not any(each.is_visible() for each in marks.all())
    assert all(each.is_visible() for each in others.all())
    shown.get_by_text("tv", exact=True).first.click()
    assert box.is_checked()
    assert all(each.is_visible() for each in marks.all())


def picture_of(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def test_the_slider_wipes_from_noisy_to_denoised(show):
    shown = show("report")
    slider, pair = shown.get_by_role("slider").first, shown.locator(".pair").first
    pictures = {}
    for key, value in (("Home", "0"), ("End", "100")):
        slider.press(key)
        assert slider.input_value() == value
        pictures[key] = picture_of(pair)
    for _ in range(50):
        slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "50 % noisy"
    half = picture_of(pair)
    middle, margin = half.shape[1] // 2, 6
    denoised, noisy = (pictures[key][margin:-margin] for key in ("Home", "End"))
    half = half[margin:-margin]
    assert np.abs(half[:, margin : middle - margin] - noisy[:, margin : middle - margin]).max() == 0
    assert np.abs(half[:, middle + margin : -margin] - denoised[:, middle + margin : -margin]).max() == 0
    assert np.abs(noisy - denoised).mean() > 2
    rough = [np.abs(np.diff(each, axis=1)).mean() for each in (noisy, denoised)]
    assert rough[0] > 1.2 * rough[1]
    shown.get_by_label("Compare noisy with").first.select_option("clean")
    slider.press("Home")
    source = "each => each.src"
    assert pair.locator("img").last.evaluate(source) == shown.get_by_alt_text("Clean picture").first.evaluate(source)


def test_a_finger_wipes_on_the_slider_and_on_the_picture(show):
    shown = show("report", 390, has_touch=True)
    for locator in (shown.get_by_role("slider").first, shown.locator(".pair").first):
        locator.scroll_into_view_if_needed()
        place = locator.bounding_box()
        shown.touchscreen.tap(place["x"] + 0.25 * place["width"], place["y"] + place["height"] / 2)
        assert int(shown.get_by_role("slider").first.input_value()) == pytest.approx(25, abs=3)
        shown.get_by_role("slider").first.press("End")


def test_the_keyboard_sorts_a_table(show):
    shown = show("report")
    table = shown.get_by_role("table").first
    seconds = table.get_by_role("columnheader", name="seconds")
    column = [each.inner_text().split()[0] for each in table.get_by_role("columnheader").all()].index("seconds")

    def values():
        methods = table.locator("tbody").last.locator("tr").all()
        return [float(row.locator("th, td").nth(column).inner_text()) for row in methods]

    for order, direction in (("descending", True), ("ascending", False)):
        seconds.get_by_role("button").press("Enter")
        assert seconds.get_attribute("aria-sort") == order
        assert values() == sorted(values(), reverse=direction)
        assert len(set(values())) > 1
        assert table.locator("tbody th").first.inner_text() == "noisy"


def test_without_javascript_everything_is_there_but_what_needs_it(show):
    shown = show("report", java_script_enabled=False)
    assert shown.get_by_role("table").count() == 2
    assert shown.get_by_alt_text("Noisy picture").first.is_visible()
    assert shown.get_by_alt_text(f"Result of {LONG}").first.is_visible()
    assert shown.get_by_role("button").count() == shown.get_by_role("slider").count() == 0


def test_the_policy_stops_what_is_not_of_the_page(browser, pages):
    context = browser.new_context()
    shown = context.new_page()
    shown.goto(pages["report"].as_uri())
    blocked = shown.evaluate("""async () => {
      const blocked = [];
      document.addEventListener("securitypolicyviolation", event => blocked.push(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "document.title = 'changed'";
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend",
        "<p style='color: red'></p><style>p { color: red }</style><img src='https://example.org/a.png'>");
      await new Promise(done => setTimeout(done, 200));
      return blocked;
    }""")
    assert set(blocked) == {"img-src", "script-src-elem", "style-src-attr", "style-src-elem"}
    assert shown.title() == "Comparison of denoisers"
    context.close()
