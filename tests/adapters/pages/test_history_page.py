"""The page of a run, in a real browser: it asks nothing of a network, shows its charts, and fits a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from runtime.adapters.pages import equity_png, history_page
from runtime.domain.track_figures import figures_of
from tests.support.tracks import track, trade

CHROMIUM = shutil.which("chromium")
HOSTILE = "</script><script>document.title='taken'</script><b>bold</b>"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hours = 24 * 40
    trades = [trade(3, "BUY", "10", "10", HOSTILE), trade(300, "SELL", "12", "10", "exit: below sma60")]
    run = track(
        [100 + hour / 50 for hour in range(hours)],
        [10.0] * hours,
        trades=trades,
        gates=[hour % 2 for hour in range(hours)],
    )
    page = history_page(run, figures_of(run), {"BTCUSDT": (["2024-01-01", "2024-02-09"], [10.0, 12.0])})
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page)
    return path


@pytest.fixture(params=[("light", 1200), ("dark", 360)], ids=["wide-light", "phone-dark"])
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    return request.param  # type: ignore[no-any-return] # one of the two above


@pytest.fixture
def theme(look: tuple[str, int]) -> str:
    return look[0]


@pytest.fixture
def page(look: tuple[str, int], browser: Browser, file: Path, theme: str) -> Iterator[Page]:
    context = browser.new_context(
        color_scheme=theme,  # type: ignore[arg-type] # one of the two that it knows
        viewport={"width": look[1], "height": 800},
        offline=True,
    )
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    opened.goto(file.as_uri())
    opened.wait_for_selector("#price-BTCUSDT .main-svg")
    yield opened
    context.close()
    assert said == []


def test_every_chart_is_drawn_and_the_page_fits(page: Page) -> None:
    assert page.locator(".chart .main-svg").count() >= 6
    assert page.locator(".chart:not(:has(.main-svg))").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_colours_follow_the_readers_theme(page: Page, theme: str) -> None:
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    light, dark = ["rgb(255, 255, 255)", "rgb(27, 31, 36)"], ["rgb(13, 17, 23)", "rgb(230, 237, 243)"]
    assert colours == (light if theme == "light" else dark)
    inked = page.locator("#equity .xtick text").first.evaluate("e => getComputedStyle(e).fill")
    assert inked == colours[1]


def test_what_a_trade_says_is_text_and_never_code(page: Page) -> None:
    assert page.title().startswith("Run 2024-01-01 to")
    assert HOSTILE in page.locator("td.text").all_inner_texts()
    assert page.locator("td.text b").count() == 0


def test_a_purchase_and_a_sale_stand_on_the_price_chart(page: Page) -> None:
    marks = page.evaluate("charts.find(c => c.id === 'price-BTCUSDT').figure.data.map(d => [d.name, d.x, d.y])")
    assert [name for name, _, _ in marks] == ["BTCUSDT", "buy", "sell"]
    assert marks[1][1:] == [["2024-01-01 03:00"], [10]]
    shown = page.evaluate("document.getElementById('price-BTCUSDT')._fullLayout.xaxis.type")
    assert shown == "date"


def test_the_same_run_gives_the_same_picture() -> None:
    run = figures_of(track([100.0] * 48, [10.0] * 48))
    assert equity_png(run, "a run") == equity_png(run, "a run")
    assert equity_png(run, "a run").startswith(b"\x89PNG")
