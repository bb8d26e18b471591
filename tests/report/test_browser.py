"""The page in a real browser: Debian's Chromium, driven by playwright."""

import os
import shutil

import pandas as pd
import pytest
from sklearn.utils import Bunch

from sfmforensics.report import write_report
from sfmforensics.workflow import evaluate_corpus, reproduce_tables

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; apt-get install chromium brings it"
)

QUICK = {"epochs": 1, "preset": "tuned", "folds": 2}
HOSTILE = "<script>document.title='taken'</script>"
WIDTHS = (360, 1440)


@pytest.fixture(scope="module")
def pages(corpus, tmp_path_factory):
    """The page of `evaluate` and that of `reproduce`; one speaker has a hostile name."""
    folder = tmp_path_factory.mktemp("pages")
    target = corpus.target.assign(
        speaker=corpus.target["speaker"].replace(corpus.target["speaker"].iloc[0], HOSTILE)
    )
    voices = Bunch(data=corpus.data, target=target)
    views, shared = ["mfcc", "prosody"], {"name": "baved", "cache": folder / "cache", **QUICK}
    evaluate_corpus(voices, views, folder / "evaluate", models=("tango", "svm"), **shared)
    reproduce_tables(voices, views, folder / "reproduce", tables=[2, 4], **shared)
    return {name: write_report(folder / name) for name in ("evaluate", "reproduce")}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that a root user in a container has not.
        arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, pages):
    """Open a page, and note what it asks for, complains of, and pops up."""
    contexts = []

    def open_(name="evaluate", width=1440, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.said = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: page.said.append(dialog.message))
        page.goto(pages[name].as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["evaluate", "reproduce"])
def test_nothing_sticks_out_and_every_picture_is_there(open_page, name, width):
    page = open_page(name, width)
    for closed in page.locator("details").all():
        closed.evaluate("part => part.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.locator("img").evaluate_all(
        "all => all.map(one => [one.complete, one.naturalWidth, one.clientWidth])"
    )
    assert len(sizes) > 8
    assert all(complete and natural > 300 and shown > 250 for complete, natural, shown in sizes)
    assert page.said == []


def test_it_asks_for_nothing_but_itself(open_page, pages):
    page = open_page()
    assert [url for url in page.asked if not url.startswith("data:")] == [
        pages["evaluate"].as_uri()
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["evaluate", "reproduce"])
def test_axe_finds_nothing_to_complain_of(open_page, name, width, scheme):
    page = open_page(name, width, color_scheme=scheme, bypass_csp=True)
    page.locator("details").evaluate_all("all => all.forEach(part => part.open = true)")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": rules}})
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 20


def numbers(table, place):
    """Numbers of a column, as they stand in the table, without those that are not there."""
    cells = [
        row.locator("th, td").nth(place).inner_text() for row in table.locator("tbody tr").all()
    ]
    return [float(text.split()[0]) for text in cells if text[:1].isdigit()]


def test_a_column_sorts_by_mouse_and_back(open_page):
    page = open_page("reproduce")
    table = page.locator("section:has(#scores) table").first
    header = table.locator("[data-column='2']")
    before = numbers(table, 2)
    assert len(before) > 3
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert numbers(table, 2) == sorted(before)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert numbers(table, 2) == sorted(before, reverse=True)
    assert page.locator("[aria-sort]").count() == 1


def test_everything_can_be_reached_and_used_by_keyboard(open_page):
    page = open_page(width=360)
    reached = []
    for _ in range(400):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "[document.activeElement.tagName, document.activeElement.className,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        if here[0] == "BODY":
            break
        reached.append(here)
    tags = [name for name, _, _ in reached]
    assert tags.count("A") == page.locator("nav a").count()
    assert tags.count("SUMMARY") == page.locator("summary").count()
    seen = page.locator("thead button").evaluate_all(
        "all => all.filter(one => one.checkVisibility()).length"
    )
    assert tags.count("BUTTON") == seen > 5
    assert all(outline != "none" for _, _, outline in reached)
    first = page.locator("section:has(#scores) thead button").first
    first.focus()
    page.keyboard.press("Enter")
    assert page.locator("[aria-sort='ascending']").count() == 1
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert summary.evaluate("one => one.parentElement.open")
    page.locator(".scroll").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1000)  # scrolling is animated
    assert page.evaluate("document.activeElement.scrollLeft") > 0


def test_links_lead_to_their_sections(open_page):
    page = open_page()
    for link in page.locator("nav a").all():
        link.click()
        target = page.locator(page.evaluate("location.hash"))
        assert target.inner_text() == link.inner_text()


def test_a_name_that_is_code_is_shown_and_not_run(open_page):
    page = open_page()
    page.locator("details").evaluate_all("all => all.forEach(part => part.open = true)")
    assert "sfmforensics report" in page.title()
    alts = page.locator("img").evaluate_all("all => all.map(one => one.alt)")
    assert page.locator("script").count() == 1
    assert any("<script>" in text for text in [*alts, page.inner_text("body")])


def test_without_scripts_the_tables_are_complete(open_page):
    page = open_page("reproduce", java_script_enabled=False)
    assert page.locator("thead button").count() == 0
    text = page.inner_text("body")
    assert "Table 4: two views, concatenated; two views, transported both ways" in text
    for system in ("svmt", "mvmt-concat", "tango"):
        assert system in text


def test_what_is_shown_is_what_was_written(open_page, pages):
    page = open_page("reproduce")
    table = pd.read_csv(pages["reproduce"].parent / "reproduction.csv")
    row = table.query("setup == 'tango' and task == 'emotion' and metric == 'accuracy'")
    row = row[(row["table"] == 4) & (row["protocol"] == "disjoint")].iloc[0]
    shown = page.locator("section:has(#the-paper-s-tables) tr", has_text="tango").all_inner_texts()
    assert any(f"{row['mean'] * 100:.1f} ± {row['sd'] * 100:.1f}" in text for text in shown)
