"""The languages of the pages: whole, typeset, and chosen as the browser asks."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from string import Formatter

import pytest

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.connect.language import LANGUAGES, negotiate, supported, texts

SAME = {"fr": {"mode"}, "it": {"account"}}
"""Words that another language shares with English."""
SUCCESS = {
    "en": "Connection Successful!",
    "de": "Verbindung erfolgreich!",
    "sv": "anslutning lyckades!",
    "pt-BR": "Conexão bem sucedida!",
    "fr": "Connexion réussie !",
    "it": "Connessione riuscita",
}
"""As users of other products know it."""
ADMINISTRATOR = {
    "en": "administrator permissions",
    "de": "Administratorberechtigungen",
    "sv": "administratörsbehörighet",
    "pt-BR": "permissões de administrador",
    "fr": "autorisations d'administrateur",
    "it": "autorizzazioni di amministratore",
}


def placeholders(text: str) -> list[str]:
    """Return the names of what is put into a sentence."""
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


def test_there_is_one_file_for_each_language() -> None:
    """A language has a file, a file is a language, and each knows its own code."""
    folder = files("tap_stripe_connect.connect").joinpath("languages")
    assert {file.name for file in folder.iterdir()} == {f"{code}.json" for code in LANGUAGES}
    assert [texts(code)["lang"] for code in LANGUAGES] == list(LANGUAGES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_says_the_same(code: str) -> None:
    """Keys come in the same order, and each sentence has the same placeholders."""
    english, theirs = texts("en"), texts(code)
    assert list(theirs) == list(english)
    for key, text in theirs.items():
        assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("code", LANGUAGES[1:])
def test_nothing_is_left_in_english(code: str) -> None:
    """A sentence differs from the English one, apart from words that both have."""
    english, theirs = texts("en"), texts(code)
    same = {key for key, text in theirs.items() if text.casefold() == english[key].casefold()}
    assert same == SAME.get(code, set())


@pytest.mark.parametrize("code", LANGUAGES)
def test_words_for_streams_are_theirs_alone(code: str) -> None:
    """Words for streams are those of streams there are, and tell them apart; not all need one."""
    words = {key: text for key, text in texts(code).items() if key.startswith("stream_")}
    assert words.keys() <= {f"stream_{stream.name}" for stream in STREAMS}
    assert len(set(words.values())) == len(words)


@pytest.mark.parametrize("code", LANGUAGES)
def test_sentences_are_typeset(code: str) -> None:
    """Apostrophes are round, spaces single; nothing is markup, and Stripe keeps its name."""
    for key, text in texts(code).items():
        assert not re.search(r"['\"<>&]|\s\s|^\s|\s$|\.\.\.", text), key
        assert ("Stripe" in text) == ("Stripe" in texts("en")[key]), key


def test_french_sets_its_marks_apart() -> None:
    """A narrow no-break space stands before each exclamation mark and colon, and only there."""
    for key, text in texts("fr").items():
        assert re.findall(r"(.)[!?:;]", text) == re.findall("(\u202f)[!?:;]", text), key
        assert text.count("\u202f") == len(re.findall(r"[!?:;]", text)), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_success_is_told_in_the_known_words(code: str) -> None:
    """Success and the administrators' note read as in the product users come from."""

    def bare(text: str) -> str:
        return re.sub(r"[\W_]", "", text.casefold())

    ours = bare(texts(code)["success"])
    known = bare(SUCCESS[code])
    assert ours.replace("anslutningen", "anslutning") == known
    assert bare(ADMINISTRATOR[code]) in bare(texts(code)["admin"])


@pytest.mark.parametrize(
    ("header", "fallback", "expected"),
    [
        ("de", "en", "de"),
        ("DE-at", "en", "de"),
        ("pt", "en", "pt-BR"),
        ("pt-PT,pt;q=0.9", "en", "pt-BR"),
        ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "en", "fr"),
        ("en;q=0.2,it;q=0.8", "en", "it"),
        ("sv ; q=0.5 , de ; q=0.6", "en", "de"),
        ("ja,ko;q=0.9", "sv", "sv"),
        ("ja,*", "sv", "sv"),
        ("*,de;q=0.5", "sv", "sv"),
        ("de;q=0,it;q=0.1", "en", "it"),
        ("de;q=x,de;q=2,de;q=nan,it;q=0.1", "en", "it"),
        ("de;level=1", "en", "de"),
        ("", "de_DE.UTF-8", "de"),
        ("", "pt_PT", "pt-BR"),
        ("", "C.UTF-8", "en"),
        ("", "", "en"),
        (";;q=,,\x00", "fr", "fr"),
        ("eng", "fr", "fr"),
    ],
)
def test_the_browser_is_asked_first(header: str, fallback: str, expected: str) -> None:
    """Weights order the wishes; then comes the terminal's language, then English."""
    assert negotiate(header, fallback) == expected


def test_an_unknown_language_has_no_texts() -> None:
    """A tag that none of the languages serves gives none, and asking for it is a fault."""
    assert supported("tlh") == supported("") == ""
    with pytest.raises(ValueError, match="'tlh'"):
        texts("tlh")


def test_files_are_tidy() -> None:
    """Each is JSON as it would be written again, so that a change shows as that change alone."""
    folder = files("tap_stripe_connect.connect").joinpath("languages")
    for file in folder.iterdir():
        text = file.read_text("utf-8")
        assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n"
