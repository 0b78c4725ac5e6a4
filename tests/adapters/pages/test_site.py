"""The site in a real browser and as bytes: it stands alone, fits, can be read by everybody, and hides what it must."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, Page, sync_playwright

from runtime.adapters.pages.site import site_files
from runtime.adapters.site_folder import write_site
from runtime.domain.ledger import OWNED
from runtime.domain.site import Site, public
from runtime.domain.texts import Language
from runtime.errors import BadInput
from runtime.ports import Store
from runtime.site import site_of
from tests.support.worlds import ACCOUNT, DOWN, scene

CHROMIUM = shutil.which("chromium")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
HOSTILE = "<script>document.title='taken'</script>"
CONTRAST_MIN = 4.5
LONG_ENOUGH = 4
"""Digits of an amount that cannot stand in a page by chance."""


@pytest.fixture(scope="module")
def account() -> Iterator[tuple[Site, set[str]]]:
    """Hours that traded, one that failed, some missed, foreign words that are code; and every amount of it as text."""
    with scene() as s:
        for hours in (0, 1, 1, 3, 20):
            s.next(hours)
        s.faults({ACCOUNT: DOWN})
        s.next()
        s.faults()
        s.next()
        kept = dict(s.reports.reports)

        def reports(slot: str | None) -> Mapping[str, Any] | None:
            return kept.get(slot or "")

        site = site_of(s.store, 30, reports)
        yield site, amounts(s.store) | spellings(figures(site))


def amounts(store: Store) -> set[str]:
    """Every number of the ledger, of its prices and of what hours were worth, in the spellings of a page."""
    state = store.load().state
    assert state is not None
    values = {value for record in store.cycles(1000) if (value := record.summary.get("equity"))}
    for day in store.ledger_days():
        for entry in store.entries(day):
            values |= {str(posting.amount) for posting in entry.postings} | set(map(str, entry.prices.values()))
    values |= {str(amount) for book in OWNED for amount in state.ledger.assets(book).values()}
    return spellings(values)


def figures(site: Site) -> Iterator[str]:
    """Every number that a card saw, compared or did."""
    for card in (hour.card for hour in site.hours if hour.card is not None):
        yield from card.saw.values()
        for held in card.held:
            yield from (number for text in held.numbers.values() for number in re.findall(r"[0-9.]+", text))
        for deed in card.did:
            yield from (deed.quantity, deed.value)


def spellings(values: Iterable[str]) -> set[str]:
    """Numbers as pages may write them; those too short to be told from a count or a date are left out."""
    found = set()
    for text in values:
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
            continue
        amount = abs(Decimal(text))
        found |= {f"{amount:f}", f"{amount:,.2f}", f"{amount:.2f}", f"{amount.normalize():f}"}
    return {text for text in found if sum(c.isdigit() for c in text.strip("0.")) >= LONG_ENOUGH}


@pytest.fixture(scope="module")
def folders(account: tuple[Site, set[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    site, _ = account
    root = tmp_path_factory.mktemp("sites")
    for name, shown in (("whole", site), ("public", public(site))):
        write_site(root / name, site_files(shown, Language.EN))
    return {name: root / name for name in ("whole", "public")}


def pages(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.html"))}


def test_every_day_and_hour_has_its_page_and_every_link_leads_somewhere(
    account: tuple[Site, set[str]], folders: dict[str, Path]
) -> None:
    site, _ = account
    found = pages(folders["whole"])
    assert {f"hours/{hour.slot}.html" for hour in site.hours} <= found.keys()
    assert {f"days/{hour.day}.html" for hour in site.hours} <= found.keys()
    assert {"index.html", "days.html", "performance.html", "books.html", "incidents.html"} <= found.keys()
    for name, text in found.items():
        for address in re.findall(r'(?:href|src)="([^"#][^"]*)"', text):
            if address != "data:,":
                assert not re.match(r"[a-z]+:", address), address
                assert (folders["whole"] / name).parent.joinpath(address).resolve().is_file(), (name, address)


def test_nothing_asks_a_network_and_nothing_runs(folders: dict[str, Path]) -> None:
    for name, text in pages(folders["whole"]).items():
        assert "<script" not in text, name
        assert not re.search(r"https?://|@import|url\(", text), name
    assert not re.search(r"https?://|@import|url\(", (folders["whole"] / "style.css").read_text())


def test_the_same_account_gives_the_same_bytes(account: tuple[Site, set[str]]) -> None:
    site, _ = account
    assert list(site_files(site, Language.EN)) == list(site_files(site, Language.EN))


def test_what_is_public_holds_no_amount_of_the_ledger(account: tuple[Site, set[str]], folders: dict[str, Path]) -> None:
    _, known = account
    whole, shown = "\n".join(pages(folders["whole"]).values()), "\n".join(pages(folders["public"]).values())
    tokens = set(re.findall(r"[0-9][0-9,]*(?:\.[0-9]+)?", shown))
    assert len(known) > 30
    assert len(known & set(re.findall(r"[0-9][0-9,]*(?:\.[0-9]+)?", whole))) > 20, "the search finds what is there"
    assert known & tokens == set()
    assert "hidden" in shown


def test_the_public_site_still_says_what_happened(account: tuple[Site, set[str]], folders: dict[str, Path]) -> None:
    site, _ = account
    traded = next(hour for hour in site.hours if hour.orders and hour.card)
    page = (folders["public"] / "hours" / f"{traded.slot}.html").read_text()
    assert traded.card is not None
    for deed in traded.card.did:
        assert deed.symbol in page
    assert "%" in (folders["public"] / "performance.html").read_text()


def test_an_hour_that_failed_and_hours_that_nobody_did_are_told(
    account: tuple[Site, set[str]], folders: dict[str, Path]
) -> None:
    site, _ = account
    told = (folders["whole"] / "incidents.html").read_text()
    assert site.missed
    assert all(slot in told for slot in site.missed)
    assert "critical" in told or "warning" in told or "info" in told


def test_a_folder_with_anything_else_is_refused_and_a_site_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    with pytest.raises(BadInput, match="must be new, empty"):
        write_site(tmp_path / "mine", [("index.html", b"x")])
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep me"
    for files in (["one.html", "two.html"], ["three.html"]):
        write_site(tmp_path / "site", [(".nojekyll", b""), *((name, b"x") for name in files)])
        assert sorted(path.name for path in (tmp_path / "site").iterdir()) == [".nojekyll", *sorted(files)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "site"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def opened(browser: Browser, theme: Any, width: int) -> Page:
    context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900}, offline=True)
    return context.new_page()


def some(folder: Path) -> list[Path]:
    """A page of each kind."""
    hour = min((folder / "hours").iterdir())
    day = min((folder / "days").iterdir())
    return [*(folder / f"{n}.html" for n in ("index", "days", "performance", "books", "incidents")), day, hour]


@in_a_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360], ids=["wide", "phone"])
def test_pages_fit_are_readable_and_complain_of_nothing(
    browser: Browser, folders: dict[str, Path], theme: str, width: int
) -> None:
    page = opened(browser, theme, width)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    for path in some(folders["whole"]):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name
        faint = [(text, ratio) for text, ratio in page.evaluate(CONTRASTS) if ratio < CONTRAST_MIN]
        assert not faint, (path.name, faint[:3])
    page.context.close()
    assert said == []


@in_a_browser
def test_a_screen_reader_finds_its_way(browser: Browser, folders: dict[str, Path]) -> None:
    """By hand what axe would look for: language, title, landmarks, one order of headings, names of what is not text."""
    page = opened(browser, "light", 1200)
    for path in some(folders["whole"]):
        page.goto(path.as_uri())
        found = page.evaluate(OUTLINE)
        assert found["lang"] == "en"
        assert found["title"]
        assert (found["main"], found["nav"], found["header"], found["footer"]) == (1, 1, 1, 1)
        levels = found["headings"]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), path.name
        assert found["unnamed"] == [], path.name
        assert found["loose_heads"] == 0, path.name
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.context.close()


@in_a_browser
def test_screenshots_agree_between_runs_and_themes_change_colours_and_nothing_else(
    browser: Browser, folders: dict[str, Path]
) -> None:
    """No picture is kept, because fonts differ between machines: each run is its own reference."""
    shots, boxes = {}, {}
    for name, theme in (("light", "light"), ("again", "light"), ("dark", "dark")):
        page = opened(browser, theme, 800)
        page.goto((folders["whole"] / "index.html").as_uri())
        shots[name] = imread(io.BytesIO(page.screenshot(full_page=True)), format="png")[:, :, :3]
        boxes[name] = page.evaluate(BOXES)
        page.context.close()
    assert np.abs(shots["light"] - shots["again"]).mean() < 0.001
    assert boxes["light"] == boxes["dark"]
    assert shots["light"].shape == shots["dark"].shape
    assert shots["light"].mean() > 0.8
    assert shots["dark"].mean() < 0.25
    assert len(boxes["light"]) > 20


@in_a_browser
def test_the_picture_is_drawn_and_said_in_words(browser: Browser, folders: dict[str, Path]) -> None:
    page = opened(browser, "light", 800)
    page.goto((folders["whole"] / "index.html").as_uri())
    line = page.locator("svg polyline").bounding_box()
    assert line is not None
    assert line["width"] > 600
    assert line["height"] > 50
    assert re.match(r"Equity, USDT, .* lowest .* highest", page.locator("svg").get_attribute("aria-label") or "")
    page.goto((folders["public"] / "index.html").as_uri())
    assert re.match(r"Return, .*%", page.locator("svg").get_attribute("aria-label") or "")
    page.context.close()


BOXES = """[...document.querySelectorAll('h1,h2,table,tr,td,svg,nav,footer')].map(e => {
  const b = e.getBoundingClientRect(); return [e.tagName, b.x, b.y, b.width, b.height].join(' ') })"""

OUTLINE = """(() => ({
  lang: document.documentElement.lang, title: document.title,
  main: document.querySelectorAll('main').length, nav: document.querySelectorAll('nav[aria-label]').length,
  header: document.querySelectorAll('body > header').length,
  footer: document.querySelectorAll('body > footer').length,
  headings: [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1]),
  unnamed: [...document.querySelectorAll(
    'svg:not([aria-label]), img:not([alt]), a:empty, [role=region]:not([aria-label])'
  )].map(e => e.outerHTML.slice(0, 80)),
  loose_heads: document.querySelectorAll('thead th:not([scope]), table:not(.why table):not(:has(caption))').length,
}))()"""

CONTRASTS = """(() => {
  const part = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const rgb = text => text.match(/[0-9.]+/g).map(Number);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255] };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
    found.push([e.textContent.trim().slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found })()"""
