"""Which of the offered languages a browser gets."""

from __future__ import annotations

import pytest
from flask import Flask

from app.web.languages.choice import MOST_ACCEPTED, accepted_languages, best

OFFERED = ("en", "de", "es", "fr", "ja", "pt-BR")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (["de"], "de"),
        (["de-AT", "en"], "de"),
        (["DE"], "de"),
        (["pt"], "pt-BR"),
        (["pt-PT", "fr"], "pt-BR"),
        (["ko", "ja-JP"], "ja"),
        (["ko", "zh-Hans-CN"], "en"),
        (["*", "de"], "en"),
        (["en-US", "de"], "en"),
        (["x" * 5000], "en"),
        ([], "en"),
    ],
)
def test_best_language_is_the_first_accepted_one_that_is_offered(accepted, language):
    assert best(accepted, OFFERED) == language


def test_best_with_two_regions_of_a_language_takes_the_exact_one():
    assert best(["pt-PT"], ("en", "pt-BR", "pt-PT")) == "pt-PT"
    assert best(["pt-AO"], ("en", "pt-BR", "pt-PT")) == "pt-BR"


def test_accepted_languages_are_the_first_ones_with_a_quality():
    header = "xx;q=0, " + ", ".join(f"a{n:02d}" for n in range(500))

    with Flask(__name__).test_request_context(headers={"Accept-Language": header}):
        accepted = accepted_languages()

    assert accepted == [f"a{n:02d}" for n in range(MOST_ACCEPTED)]
