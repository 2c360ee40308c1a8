"""The report in a real browser: both themes, a phone's width, slider and charts; no errors."""

import shutil
from pathlib import Path

import pytest

from tests.browser.chromium import CONTRAST, Page
from tests.cli.kit import ganprune

FITS = "document.documentElement.scrollWidth <= innerWidth"
UNFOLD = "document.querySelectorAll('details').forEach(part => part.open = true)"
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
    assert page.js(FITS)
    page.js(UNFOLD)
    assert page.js(FITS)
    sizes = page.js("[...document.images].map(image => image.naturalWidth)")
    assert len(sizes) == 2 * 3 + 8 * 4  # the first screen, and all pictures
    assert set(sizes) == {96}
    assert page.js(CONTRAST) >= 4.5
    _quiet(page, run)


def test_on_a_phone_nothing_scrolls_sideways_and_every_speed_up_is_seen(page: Page, run: Path) -> None:
    _open(page, run, width=390)
    page.js(UNFOLD)
    wide = "[...document.querySelectorAll('.table')].filter(t => t.scrollWidth > t.clientWidth + 1).length"
    assert page.js(wide) == 0
    cells = "[...document.querySelectorAll('#speed td[data-label=speed-up]:not(.none)')]"
    ends = page.js(f"{cells}.map(cell => cell.getBoundingClientRect().right)")
    assert len(ends) == 4  # both slim generators, both originals as rewritten
    assert all(0 < end <= 390 for end in ends)
    label = f"getComputedStyle({cells}[0], '::before').content"
    assert page.js(label) == '"speed-up"'


def test_the_first_screen_holds_pictures_speed_quality_and_size(page: Page, run: Path) -> None:
    _open(page, run, width=1280, height=900)
    shown = "[...document.querySelectorAll('#overview :is(img, dt, strong)')]"
    assert max(page.js(f"{shown}.map(e => e.getBoundingClientRect().bottom)")) <= 900
    names = "[...document.querySelectorAll('#overview article:first-child dt')].map(e => e.textContent)"
    assert set(page.js(names)) == {"Speed", "Quality", "Size", "Arithmetic"}
    assert page.js("document.querySelectorAll('details[open]').length") == 0


def test_the_first_screen_of_one_network_holds_them_too(page: Page, run: Path, tmp_path: Path) -> None:
    one = shutil.copytree(run, tmp_path / "one")
    (one / "G_B.safetensors").unlink()
    assert ganprune("report", one).code == 0
    _open(page, one, width=1280, height=900)
    assert page.js("document.querySelectorAll('#overview article').length") == 1
    shown = "[...document.querySelectorAll('#overview :is(img, dt, strong)')]"
    assert max(page.js(f"{shown}.map(e => e.getBoundingClientRect().bottom)")) <= 900


def test_charts_are_drawn_at_a_readable_size(page: Page, run: Path) -> None:
    _open(page, run, width=390)
    page.js(UNFOLD)
    sizes = page.js(
        "[...document.querySelectorAll('.chart text')].map(text => text.getBoundingClientRect().height)"
    )
    assert len(sizes) > 100
    assert min(sizes) > 9
    fonts = page.js(
        "[...new Set([...document.querySelectorAll('.chart text')].map(t => getComputedStyle(t).fontFamily))]"
    )
    assert fonts == [page.js("getComputedStyle(document.body).fontFamily")]
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
    _press(page, "ArrowRight", 39)
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
    shown = (
        "[...document.querySelectorAll('#overview .compare img')].map(i => i.getBoundingClientRect().width)"
    )
    assert min(page.js(shown)) > 50
    assert page.js("getComputedStyle(document.querySelector('.compare .after')).clipPath") == "none"
    page.js("document.querySelector('#pictures summary').click()")  # parts unfold all the same
    assert page.js("document.querySelector('#pictures details').open")


def _press(page: Page, key: str, code: int, text: str = "") -> None:
    for kind in ("keyDown", "keyUp"):
        more = {"text": text} if text and kind == "keyDown" else {}
        page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)


def test_parts_unfold_by_the_keyboard_and_by_their_address(page: Page, run: Path) -> None:
    _open(page, run)
    page.js("document.querySelector('#search summary').focus()")
    _press(page, "Enter", 13, "\r")
    assert page.js("document.querySelector('#search details').open")
    page.open((run / "report.html").as_uri() + "#settings")
    assert page.js("document.querySelector('#settings details').open")


def test_a_command_is_copied_as_it_stands(page: Page, run: Path) -> None:
    _open(page, run)
    page.js(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async t => { window.kept = t; }}})"
    )
    page.js("document.querySelector('#repeat .copy').click()")
    page.wait("document.querySelector('#repeat .copy').textContent === 'Copied'")
    assert page.js("window.kept") == page.js("document.querySelector('#repeat code').textContent")
    _quiet(page, run)


def test_print_shows_every_part_and_both_pictures(page: Page, run: Path) -> None:
    _open(page, run)
    page.call("Emulation.setEmulatedMedia", media="print")
    page.js("dispatchEvent(new Event('beforeprint'))")
    assert page.js("[...document.querySelectorAll('details')].every(part => part.open)")
    wide = page.js("[...document.querySelectorAll('.compare img')].map(i => i.getBoundingClientRect().width)")
    assert min(wide) > 50
    assert page.js("getComputedStyle(document.querySelector('.compare .after')).clipPath") == "none"
    assert page.js("getComputedStyle(document.getElementById('theme')).display") == "none"
