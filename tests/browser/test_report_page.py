"""The report in a real browser: both themes, a phone's width, slider and charts; no errors."""

from pathlib import Path

import pytest

from tests.browser.chromium import Page

BACKGROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(20, 23, 27)"


def _open(page: Page, run: Path, **how: object) -> None:
    page.open((run / "report.html").as_uri(), **how)  # type: ignore[arg-type]


def _quiet(page: Page, run: Path) -> None:
    assert page.errors == []
    assert {u for u in page.requests if not u.startswith("data:")} == {(run / "report.html").as_uri()}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390, 320])
def test_report_opens_without_errors_and_fits_the_window(
    page: Page, run: Path, theme: str, width: int
) -> None:
    _open(page, run, width=width, theme=theme)
    assert page.js(BACKGROUND) == (LIGHT if theme == "light" else DARK)
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    sizes = page.js("[...document.images].map(image => image.naturalWidth)")
    assert len(sizes) == 8 * 4
    assert set(sizes) == {96}
    _quiet(page, run)


def test_charts_are_drawn_at_a_readable_size(page: Page, run: Path) -> None:
    _open(page, run, width=390)
    sizes = page.js(
        "[...document.querySelectorAll('.chart text')].map(text => text.getBoundingClientRect().height)"
    )
    assert len(sizes) > 100
    assert min(sizes) > 9
    outside = page.js(
        "[...document.querySelectorAll('.chart')].filter(chart => {"
        " const end = chart.getBoundingClientRect().right + 2;"
        " return [...chart.querySelectorAll('text')].some(t => t.getBoundingClientRect().right > end); })"
        ".map(chart => chart.textContent.slice(0, 80))"
    )
    assert outside == []
    parts = page.js(
        "[...document.querySelectorAll('section')].filter(s => s.querySelector('svg')).map(s => s.id)"
    )
    assert parts == ["speed", "operators", "layers", "filters", "search", "tuning"]


def test_dragging_moves_the_border_between_before_and_after(page: Page, run: Path) -> None:
    _open(page, run)
    page.js("document.querySelector('.compare').scrollIntoView({block: 'center'})")
    box = page.js("JSON.parse(JSON.stringify(document.querySelector('.compare').getBoundingClientRect()))")
    clip = "getComputedStyle(document.querySelector('.compare .after')).clipPath"
    assert page.js(clip) == "inset(0px 0px 0px 50%)"
    y = box["top"] + box["height"] / 2
    page.press(box["left"] + box["width"] / 2, y, to=(box["left"] + box["width"] * 0.8, y))
    moved = float(page.js(clip).removesuffix("%)").rpartition(" ")[2])
    assert 70 <= moved <= 90
    second = "getComputedStyle(document.querySelectorAll('.compare .after')[1]).clipPath"
    assert page.js(second) == "inset(0px 0px 0px 50%)"
    _quiet(page, run)


def test_arrow_keys_move_it_too(page: Page, run: Path) -> None:
    _open(page, run)
    page.js("document.querySelector('.compare input').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call(
            "Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
        )
    clip = "getComputedStyle(document.querySelector('.compare .after')).clipPath"
    assert page.js(clip) == "inset(0px 0px 0px 51%)"


def test_the_button_goes_through_the_themes_and_is_remembered(page: Page, run: Path) -> None:
    _open(page, run, theme="dark")
    seen = []
    for _ in range(3):
        page.js("document.getElementById('theme').click()")
        seen.append((page.js("document.getElementById('theme').textContent"), page.js(BACKGROUND)))
    assert seen == [("Theme: light", LIGHT), ("Theme: dark", DARK), ("Theme: auto", DARK)]
    page.js("document.getElementById('theme').click()")
    _open(page, run, theme="dark")
    assert page.js(BACKGROUND) == LIGHT
    _quiet(page, run)


def test_without_scripts_both_pictures_are_there(page: Page, run: Path) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open((run / "report.html").as_uri())
    wide = page.js("[...document.querySelectorAll('.compare img')].map(i => i.getBoundingClientRect().width)")
    assert min(wide) > 50
    assert page.js("getComputedStyle(document.querySelector('.compare .after')).clipPath") == "none"
