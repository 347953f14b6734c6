# SPDX-License-Identifier: Apache-2.0
"""The page's files: contrast in both themes, labels, and nothing that reads text as HTML or loads from elsewhere."""

import re
from html.parser import HTMLParser

import pytest
from vla_console.pagefiles import FOLDER

STYLE = (FOLDER / "style.css").read_text()
HTML = (FOLDER / "index.html").read_text()
SCRIPTS = {path.name: path.read_text() for path in FOLDER.glob("*.js")}
TEXTS = [  # text colour, what it stands on
    *((text, ground) for text in ("ink", "soft", "ok", "warn", "bad", "accent") for ground in ("card", "bg")),
    ("ink", "field"),
    ("ink", "track"),
    ("on-accent", "accent"),
    ("on-stop", "stop"),
    ("on-estop", "estop"),
    ("card", "ink"),
]


def colours(theme):
    block = re.search(re.escape(theme) + r" \{(.*?)\n\}", STYLE, re.DOTALL)[1]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [":root", ':root[data-theme="dark"]'])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_every_text_has_the_contrast_of_wcag_aa(theme, text, ground):
    table = colours(theme)
    high, low = sorted((luminance(table[text]), luminance(table[ground])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_both_themes_define_the_same_colours():
    assert colours(":root").keys() == colours(':root[data-theme="dark"]').keys()


class Elements(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self):
        super().__init__()
        self.found, self.labels, self.inside = [], set(), []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.found.append((tag, values, "label" in self.inside))
        self.labels |= {values["for"]} if "for" in values else set()
        if tag not in ("input", "meta", "link", "i", "br"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self.inside:
            self.inside.remove(tag)


PAGE = Elements()
PAGE.feed(HTML)


def test_every_field_and_picture_has_a_name():
    for tag, values, labelled in PAGE.found:
        if tag in ("input", "select"):
            assert labelled or values["id"] in PAGE.labels, values
        if tag == "canvas" or values.get("role") == "application":
            assert values["aria-label"]
        if tag == "section":
            assert any(item.get("id") == values["aria-labelledby"] for _, item, _ in PAGE.found)


def test_every_element_that_the_scripts_name_is_there_once():
    there = [values["id"] for _, values, _ in PAGE.found if "id" in values]
    assert len(there) == len(set(there))
    named = {name for text in SCRIPTS.values() for name in re.findall(r'\bat\("([\w-]+)"\)', text)}
    assert len(named) > 30
    assert named <= set(there)


def test_nothing_is_read_as_html_or_as_code_and_nothing_comes_from_elsewhere():
    for text in SCRIPTS.values():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://", text
        )
        assert all(name in SCRIPTS for name in re.findall(r'from "\./([^"]+)"', text))
    assert not re.search(r"https?://|@import|url\(", STYLE + HTML)
    assert not re.search(r"<[^>]+ (on\w+|style)=", HTML)  # the policy of the page forbids them
