"""The pages: what each state says, that nothing in it is taken for markup, and who can read it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.connect import pages
from tap_stripe_connect.connect.language import LANGUAGES, texts
from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

TEST = pages.Setting(livemode=False)
RENEWAL = pages.Setting(livemode=True, command="run connect", renewing="acct_1Renewed")
ALPHA = ConnectedAccount("acct_1Alpha", "Alpha GmbH", "DE")
ACCOUNTS = (
    ALPHA,
    ConnectedAccount("acct_1Gone", "Béta", livemode=True, access=Access.DENIED),
    ConnectedAccount("acct_1Silent", access=Access.UNKNOWN),
    ConnectedAccount("acct_1New", "Gamma", empty=True),
)
PLATFORM = ConnectedAccount("acct_1Platform", "My Platform")
STREAM_NAMES = tuple(stream.name for stream in STREAMS)
LINK = "https://connect.stripe.com/oauth/authorize?a=1&b=2"
VOID = {"meta", "circle", "path"}
TEXT_CONTRAST = 4.5
SHAPE_CONTRAST = 3.0


class Page(HTMLParser):
    """A page as a browser and a screen reader take it."""

    def __init__(self, content: bytes) -> None:
        """Read a page; an element left open or closed twice fails."""
        super().__init__()
        self.source = content.decode()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(self.source)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the element opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text, and in which element it stands."""
        if data.strip() and self._open[-1] != "style":
            self.texts.append((self._open[-1], " ".join(data.split())))

    @property
    def text(self) -> str:
        """All text in one line."""
        return " ".join(text for _, text in self.texts)

    def inside(self, *tags: str) -> list[str]:
        """Return the text that stands directly in some elements."""
        return [text for tag, text in self.texts if tag in tags]

    def attributes(self, name: str) -> list[str | None]:
        """Return the values of an attribute."""
        return [found[name] for _, found in self.elements if name in found]


def every_page(code: str, name: str = "") -> Iterator[tuple[str, Page]]:
    """Make each kind of page in a language; `name` is what an account calls itself."""
    said = texts(code)
    found = ConnectedAccount("acct_1Found", name or "Found")
    for setting in (TEST, RENEWAL):
        yield "none", Page(pages.connections(said, setting, []))
        yield "accounts", Page(pages.connections(said, setting, [*ACCOUNTS, found]))
        yield "sources", Page(pages.sources(said, setting))
        for kind in Kind:
            ended = Outcome(kind, "A line.", "Advice.", found)
            yield f"{kind} alone", Page(pages.outcome(said, setting, ended))
            yield str(kind), Page(pages.connections(said, setting, ACCOUNTS, ended))
        for returns in (True, False):
            page = pages.authorization(
                said, setting, found, STREAM_NAMES, link=LINK, returns=returns
            )
            yield "authorization", Page(page)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_page_can_be_read_by_all(code: str) -> None:
    """Language, title, one h1 before other headings, no level skipped, labels that exist."""
    for what, page in every_page(code):
        tags = [tag for tag, _ in page.elements]
        assert page.elements[0] == ("html", {"lang": code}), what
        assert tags[1:4] == ["head", "meta", "title"], what
        levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
        assert levels[0] == 1, what
        assert levels.count(1) == 1, what
        assert all(after - before <= 1 for before, after in pairwise(levels)), what
        title, heading = page.inside("title")[0], page.inside("h1")[0]
        assert title == f"{heading} | tap-stripe-connect", what
        assert tags.count("main") == tags.count("header") == tags.count("footer") == 1, what
        identifiers = page.attributes("id")
        assert len(set(identifiers)) == len(identifiers), what
        assert set(page.attributes("aria-labelledby")) <= set(identifiers), what
        drawn = [found for tag, found in page.elements if tag == "svg"]
        assert all(found["aria-hidden"] == "true" for found in drawn), what


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_page_needs_anything_else(code: str) -> None:
    """Neither script nor form nor outside resource; only Stripe's link leads away, without us."""
    for what, page in every_page(code):
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "link", "img", "iframe", "form", "object", "base"}, what
        assert not {*page.attributes("src"), *page.attributes("style")}, what
        assert not [name for _, found in page.elements for name in found if name[:2] == "on"], what
        assert "url(" not in page.source, what
        assert "@import" not in page.source, what
        for tag, found in page.elements:
            target = found.get("href")
            if target in {None, "/", "/add", "/authorize"}:
                continue
            assert (tag, target, found["rel"]) == ("a", LINK, "noreferrer"), what
        assert "{" not in page.text, what


@pytest.mark.parametrize(
    "name",
    [
        "</h1><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' autofocus onfocus='alert(1)",
        "{0.__class__} {lang} {{",
        "&lt;b&gt; &amp;",
        "%s %(x)s \\x1b",
        "a" * 500,
    ],
)
def test_names_are_text(name: str) -> None:
    """Whatever an account calls itself is shown as it is, set apart in its own direction."""
    shown = " ".join(name.split())
    for what, page in every_page("en", name):
        assert not {tag for tag, _ in page.elements} & {"script", "img"}, what
        assert (shown in page.inside("bdi")) == ("acct_1Found" in page.text), what


def test_every_value_is_escaped() -> None:
    """So are ids, links, commands and the names of streams, which are not of our making either."""
    odd = "<i>&\"'</i>"
    setting = pages.Setting(livemode=False, command=odd, renewing=odd)
    account = ConnectedAccount(odd, odd, access=Access.DENIED)
    ended = Outcome(Kind.OTHER_ACCOUNT, odd, odd, account)
    said = texts("fr")
    shown = [
        pages.connections(said, setting, [account], ended),
        pages.outcome(said, setting, ended),
        pages.authorization(said, setting, account, [odd], link=odd, returns=True),
    ]
    for content in shown:
        page = Page(content)
        assert "i" not in {tag for tag, _ in page.elements}
        assert odd in page.text


def test_without_accounts_the_way_on_is_shown() -> None:
    """An empty list says so and leads to adding a data source."""
    page = Page(pages.connections(texts("en"), TEST, []))
    assert page.inside("h1") == ["Connections"]
    assert "No account is connected yet." in page.text
    assert "table" not in {tag for tag, _ in page.elements}
    assert page.attributes("href") == ["/add"]


def test_accounts_are_listed_with_what_repairs_them() -> None:
    """Name, id, mode and access are told in words; one without access gets its command."""
    page = Page(pages.connections(texts("en"), RENEWAL, ACCOUNTS))
    rows = page.text.partition("Access")[2]
    alpha, gone, silent, new = re.split(r"(?=Béta|acct_1Silent|Gamma)", rows)
    assert alpha.strip() == "Alpha GmbH acct_1Alpha Test mode Access works"
    assert "acct_1Gone Live mode No access" in gone
    assert gone.strip().endswith(
        "To renew it, run this in the terminal: run connect --reauth acct_1Gone"
    )
    assert silent.strip() == "acct_1Silent Test mode Not known: Stripe did not answer"
    assert new.strip() == "Gamma acct_1New Test mode Access works No data in it yet"
    assert page.attributes("role").count("row") == 1 + len(ACCOUNTS)


@pytest.mark.parametrize("kind", Kind)
def test_every_end_has_its_own_page(kind: Kind) -> None:
    """How an attempt ended stands on top, and what the terminal says of it does not."""
    ended = Outcome(kind, "ac_secret", "sk_secret", ALPHA)
    page = Page(pages.connections(texts("en"), TEST, ACCOUNTS, ended))
    headings = page.inside("h1", "h2")
    others = {pages.BANNERS[other].title for other in Kind if other is not kind}
    assert headings[1] == "Connections"
    assert headings[0] not in {texts("en")[title] for title in others}
    assert "secret" not in page.source
    alone = Page(pages.outcome(texts("en"), TEST, ended))
    assert alone.inside("h1") == headings[:1]
    assert "Access works" not in alone.text
    good = kind in {Kind.CONNECTED, Kind.ALREADY}
    assert ("/add" in page.attributes("href")) is good, "where the button leads may be gone"


def test_success_is_the_first_thing_said() -> None:
    """`Connection successful!` is title and first heading, with the account right below."""
    ended = Outcome(Kind.CONNECTED, "", account=ALPHA)
    page = Page(pages.connections(texts("en"), TEST, [ALPHA], ended))
    assert page.inside("h1") == ["Connection successful!"]
    below = page.text.partition("Connection successful! ")[2].partition("successful! ")[2]
    assert below.startswith("Alpha GmbH ( acct_1Alpha ) is connected. You can close this window")


@pytest.mark.parametrize(
    ("setting", "said"),
    [(TEST, "Test mode was asked for"), (pages.Setting(livemode=True), "Live mode was asked for")],
)
def test_the_wrong_mode_names_the_right_one(setting: pages.Setting, said: str) -> None:
    """An answer of the other mode tells which was wanted."""
    assert said in Page(pages.outcome(texts("en"), setting, Outcome(Kind.WRONG_MODE, ""))).text


def test_another_account_is_told_with_the_one_expected() -> None:
    """Renewal that came back with another account names both."""
    ended = Outcome(Kind.OTHER_ACCOUNT, "", account=ALPHA)
    page = Page(pages.outcome(texts("en"), RENEWAL, ended))
    assert "acct_1Alpha" in page.text
    assert "acct_1Renewed" in page.text


def test_the_authorization_tells_all_before_it_leads_to_stripe() -> None:
    """Administrator, streams in words, read and write: then Stripe's button, a plain link."""
    page = Page(
        pages.authorization(texts("de"), TEST, PLATFORM, STREAM_NAMES, link=LINK, returns=True)
    )
    for said in ("My Platform", "Erfordert Administratorberechtigungen.", "weniger bietet es"):
        assert said in page.text
    assert page.inside("li") == [texts("de").get(f"stream_{name}", name) for name in STREAM_NAMES]
    assert page.inside("a") == ["Connect with Stripe", "Zurück zu den Verbindungen"]
    assert page.attributes("href") == [LINK, "/"]
    assert texts("de")["comes_back"] in page.text


def test_who_cannot_come_back_is_told_to_paste() -> None:
    """Where Stripe sends the browser elsewhere, the page says what to do there."""
    page = Page(pages.authorization(texts("en"), TEST, PLATFORM, [], link=LINK, returns=False))
    assert "paste it into the terminal" in page.text
    assert texts("en")["comes_back"] not in page.text


def test_a_renewal_names_the_account_to_sign_in_with() -> None:
    """The page of a renewal says which account it is for."""
    page = Page(pages.authorization(texts("en"), RENEWAL, PLATFORM, [], link=LINK, returns=True))
    assert "renews the access to acct_1Renewed ." in page.text


def test_a_stream_without_words_keeps_its_name() -> None:
    """A stream that the language does not know is shown by its name."""
    shown = pages.authorization(texts("en"), TEST, PLATFORM, ["new"], link=LINK, returns=True)
    assert Page(shown).inside("li") == ["new"]


@pytest.mark.parametrize("status", [400, 404, 405, 408, 414, 421, 500])
def test_what_is_no_page_is_one_line(status: int) -> None:
    """Other answers are a short line of plain text."""
    assert re.fullmatch(rb"[A-Z][\w' ]+\.?\n", pages.plain(HTTPStatus(status)))


def colours(scheme: str) -> dict[str, str]:
    """Return the colours of the light or dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", pages.STYLE, re.DOTALL)
    block = blocks[["light", "dark"].index(scheme)]
    return dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", block))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it, from 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_contrast(scheme: str) -> None:
    """Text meets WCAG AA on every ground that it stands on, edges and focus meet its 3 to 1."""
    colour = colours(scheme)
    grounds = ["ground", "surface"]
    states = ["good", "care", "bad"]
    pairs = [(text, on) for text in ("text", "quiet", "accent", *states) for on in grounds]
    pairs += [("accent-strong", on) for on in grounds]
    pairs += [("text", f"{state}-ground") for state in states]
    pairs += [(state, f"{state}-ground") for state in states]
    pairs += [("on-accent", "accent"), ("on-accent", "accent-strong")]
    for text, on in pairs:
        assert contrast(colour[text], colour[on]) >= TEXT_CONTRAST, (text, on)
    for on in grounds:
        assert contrast(colour["edge"], colour[on]) >= SHAPE_CONTRAST, on


def test_both_schemes_have_every_colour() -> None:
    """Dark sets each colour of light, each is used, and none stands beside the variables."""
    assert colours("light").keys() == colours("dark").keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", pages.STYLE))
    assert used == colours("light").keys()
    rules = re.sub(r":root \{.*?\}", "", pages.STYLE, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", rules)
