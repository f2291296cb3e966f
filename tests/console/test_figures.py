"""How the console writes numbers, and what a control chart says."""

from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import FastAPI

from sightline.console import figures
from sightline.console.pages.control_chart import words
from sightline.console.session import Api, Session
from sightline.console.window import Window, chosen, span
from sightline.errors import OptionError
from sightline.evaluation.control_charts import Subgroup, p_chart
from sightline.evaluation.periods import Calendar, Step
from sightline.evaluation.wording import Language
from sightline.service.access import Caller
from sightline.service.routes.quality_models import ChartShown

BEGIN_S = 1_794_891_600.0  # 2026-11-17 06:00 in Berlin


def session(language: Language = Language.ENGLISH) -> Session:
    plant = SimpleNamespace(quality=SimpleNamespace(calendar=Calendar(zone="Europe/Berlin")))
    app = cast(FastAPI, SimpleNamespace(state=SimpleNamespace(plant=plant)))
    caller, api = cast(Caller, None), cast(Api, None)  # nothing here asks for them
    return Session(caller=caller, api=api, language=language, look="auto", path="/", app=app)


def test_numbers_and_moments_are_those_of_the_reader_and_of_the_plant() -> None:
    english, german = session(), session(Language.GERMAN)
    assert (figures.number(english, 1234.5, 1), figures.number(german, 1234.5, 1)) == ("1,234.5", "1.234,5")
    assert (figures.share(german, 0.9853), figures.share(german, None)) == ("98,5\u00a0%", "\u2013")
    assert figures.between(english, 0.971, 0.993) == "97.1 to 99.3\u00a0%"
    assert figures.moment(german, BEGIN_S) == "17.11.2026 06:00"
    assert figures.short_name(german, "2026-11-17 14:00") == "17.11. 14:00"
    assert figures.short_name(english, "2026-11-17") == "11-17"
    assert figures.duration(english, 7500) == "2\u00a0h 05\u00a0min"


def test_a_window_stands_in_the_address() -> None:
    window = Window(period="own", since="2026-11-17T06:00", until="2026-11-17T14:00", product="a&b")
    assert window.address("/quality").endswith("&product=a%26b")
    found = span(session(), window)
    assert (found.since_s, found.until_s, found.step) == (BEGIN_S, BEGIN_S + 8 * 3600, Step.HOUR)
    assert chosen(Window(period="soon", step="year", by="moon")) == Window()
    assert Window().address("/quality") == "/quality"
    with pytest.raises(OptionError):
        span(session(), Window(period="own", since="2026-11-18", until="2026-11-17"))


def test_a_control_chart_says_its_signals_in_the_readers_language() -> None:
    groups = [Subgroup(name=f"day {at}", count=40 if at == 20 else 5, size=100) for at in range(24)]
    found = ChartShown.model_validate(p_chart(groups))
    assert words(session(), found)[0] == (
        "day 20: one point beyond 3 sigma, more than usual (rule 1 of Nelson). It often means: a single event: a wrong"
        " setting, a bad batch, a new person."
    )
    assert words(session(Language.GERMAN), found)[0].startswith(
        "day 20: ein Punkt jenseits von 3 Sigma, mehr als sonst"
    )
    calm = ChartShown.model_validate(p_chart([Subgroup(name=str(at), count=5 + at % 2, size=100) for at in range(6)]))
    assert words(session(), calm) == [
        "No signal: what varies in these 6 points is chance.",
        "The limits are provisional: fewer than 20 points. Take signals as a hint.",
    ]
