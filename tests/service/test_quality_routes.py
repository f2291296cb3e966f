"""The routes of quality, studies and reports, on an application with nothing else."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from httpx import Client
from tests.service.plants import plant_with
from tests.store.inspected import Plant as Filled

from sightline.errors import AccessError, ConflictError, InspectionError, NotFoundError
from sightline.evaluation.periods import Calendar
from sightline.evaluation.value import Prices
from sightline.service.access import Caller
from sightline.service.rights import RIGHTS, Role
from sightline.service.routes import quality, reports, studies
from sightline.store.database import Database
from sightline.store.schema import Alert, Escape
from sightline.store.shift import Settings

BEGIN = 1_794_891_600.0  # 2026-11-17 06:00 in Berlin
SHIFT = {"since": "2026-11-17T06:00", "until": "2026-11-17T14:00"}
PRICES = Prices(escape=150, overkill=2, review=0.5, manual=0.08)


def fill(database: Database) -> None:
    """A shift of 400 parts with 20 rejects, an audit sample, challenge parts and an escape."""
    with database.writing() as session:
        filled = Filled(session)
        for number in range(400):
            bad = number % 20 == 0
            id_ = filled.part(
                BEGIN + 60 * number, "REJECT" if bad else "PASS", label="scratch" if bad else "", serial=f"S{number}"
            )
            if bad:
                filled.review(id_, "PASS" if number == 0 else "REJECT")
        for _ in range(30):
            filled.review(filled.part(BEGIN + 100, kind="audit"), "PASS")
        for verdict in ("REJECT", "REJECT"):
            filled.part(BEGIN + 200, verdict, kind="challenge", shadow=("candidate", "REJECT"))
        filled.part(BEGIN + 200, "FAULT", kind="challenge", cause="challenge_missed", judged="PASS", score=None)
        filled.part(BEGIN + 300, "FAULT", cause="camera", score=None)
        filled.finish()
        session.add(Escape(product="cap", found_s=BEGIN + 500, label="scratch", found_where="<b>", reported_by="ann"))
        session.add(Alert(rule="disk", subject="plant", message="9 % free", raised_s=BEGIN, seen_s=BEGIN))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('routes') / 'plant.db'}")
    opened.upgrade()
    fill(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def app(database: Database) -> FastAPI:
    app = FastAPI()
    calendar = Calendar(zone="Europe/Berlin")
    app.state.plant = plant_with(database=database, quality=Settings(calendar=calendar, prices=PRICES))
    for router in (quality.router, studies.router, reports.router):
        app.include_router(router)

    @app.exception_handler(InspectionError)
    def told(_request: Request, error: InspectionError) -> JSONResponse:
        codes = {AccessError: 403, NotFoundError: 404, ConflictError: 409}
        return JSONResponse({"detail": str(error)}, codes.get(type(error), 422))

    @app.middleware("http")
    async def recognised(request: Request, call_next: Callable[[Request], object]) -> Response:
        name, _, role = request.headers.get("x-caller", "ann/quality engineer").partition("/")
        request.state.caller = Caller(name=name, rights=RIGHTS[Role(role)])
        return await call_next(request)  # type: ignore[misc, no-any-return]

    return app


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[Client]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        yield client
    server.should_exit = True
    thread.join(60)


def test_the_summary_of_a_shift(client: Client) -> None:
    found = client.get("/api/v1/quality/summary", params=SHIFT).json()
    assert found["counts"] | {"defects": 20} == {
        **{"parts": 431, "passed": 410, "rejected": 20, "review": 0, "fault": 1, "late": 0, "defects": 20}
    }
    assert found["first_pass"] == {"parts": 431, "passed": 410, "repeats": 0, "share": pytest.approx(410 / 431)}
    assert found["faults"] == {"camera": 1}


def test_figures_over_time_and_place(client: Client) -> None:
    trend = client.get("/api/v1/quality/trend", params=SHIFT | {"step": "hour"}).json()
    assert [one["period"]["name"][11:] for one in trend][:2] == ["06:00", "07:00"]
    assert sum(one["counts"]["parts"] for one in trend) == 431
    assert client.get("/api/v1/quality/places", params=SHIFT | {"by": "line"}).json()["line 1"]["rejected"] == 20
    pareto = client.get("/api/v1/quality/pareto", params=SHIFT).json()
    assert pareto["bars"] == [{"label": "scratch", "count": 20, "share": 1.0, "cumulative": 1.0}]
    chart = client.get("/api/v1/quality/chart", params=SHIFT | {"step": "hour", "kind": "u"}).json()
    assert chart["centre"] == pytest.approx(20 / 430)
    assert chart["provisional"]


def test_findings_of_single_parts(client: Client) -> None:
    (view,) = client.get("/api/v1/quality/positions", params=SHIFT).json()
    assert (view["view"], view["defects"], sum(map(sum, view["cells"]))) == ("top", 20, 20)
    (day,) = client.get("/api/v1/quality/scores", params=SHIFT).json()
    assert day["mean"] == pytest.approx(0.5)
    stops = client.get("/api/v1/quality/stops", params=SHIFT | {"longer_than_s": 30}).json()
    assert stops[0]["station"] == "st-1"
    escapes = client.get("/api/v1/quality/escapes", params=SHIFT).json()
    assert escapes["places"] == {"<b>": 1}
    assert [(one["label"], one["reported_by"], one["inspection_id"]) for one in escapes["newest"]] == [
        ("scratch", "ann", None)
    ]


def test_what_is_estimated(client: Client) -> None:
    recall = client.get("/api/v1/quality/recall", params=SHIFT).json()
    assert (recall["stopped"], recall["reviewed"], recall["confirmed"], recall["caught"]) == (20, 20, 19, 19)
    assert (recall["estimate"]["escapes"], recall["estimate"]["recall"]) == (0, 1)
    challenge = client.get("/api/v1/quality/challenge", params=SHIFT).json()
    assert challenge["claim"]["sentence"] == "2 of 3 found: at least 13.53 % with 95 % confidence."
    (run,) = client.get("/api/v1/quality/challenge/history", params=SHIFT).json()
    assert (run["station"], run["period"]["name"]) == ("st-1", "2026-11-17")
    assert (run["claim"]["found"], run["claim"]["missed"], run["faults"]) == (2, 1, 0)
    (shadow,) = client.get("/api/v1/quality/shadows", params=SHIFT | {"kind": "challenge"}).json()
    assert (shadow["model"], shadow["agreed"], shadow["disagreed"], shadow["silent"]) == ("candidate", 2, 0, 0)
    assert shadow["verdicts"] == {"REJECT": {"REJECT": 2}}
    assert client.get("/api/v1/quality/shadows", params=SHIFT).json() == []
    value = client.get("/api/v1/quality/value", params=SHIFT).json()
    assert value["saved"] == pytest.approx(value["manual"]["total"] - value["system"]["total"])
    assert client.get("/api/v1/quality/challenge/size", params={"recall": 0.99}).json() == {"parts": 299}
    plan = client.get("/api/v1/quality/sampling-plan", params={"lot": 2000, "aql": 1.0}).json()
    assert (plan["code_letter"], plan["plan"]["size"], plan["plan"]["accept"]) == ("K", 125, 3)
    assert plan["operating"]["accepted"][0] == 1


@pytest.mark.parametrize(
    ("path", "params", "said"),
    [
        ("summary", {"since": "soon"}, "soon"),
        ("summary", {"since": "2026-11-18", "until": "2026-11-17"}, "begin and an end"),
        ("trend", {"since": "2020-01-01", "until": "2026-11-17", "step": "hour"}, "more than 1000"),
        ("chart", {"since": "2001-01-01", "until": "2001-01-02"}, "no part was inspected"),
        ("sampling-plan", {"lot": "100", "aql": "1.1"}, "AQL of 1.1"),
    ],
)
def test_what_cannot_be_answered_is_told(client: Client, path: str, params: dict[str, str], said: str) -> None:
    answer = client.get(f"/api/v1/quality/{path}", params=params)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_the_shift_report_comes_as_a_page(client: Client) -> None:
    answer = client.get("/api/v1/reports/shift", params={"at": "2026-11-17T08:00", "line": "line 1"})
    assert answer.headers["content-type"].startswith("text/html")
    for said in (
        "Tuesday, 17 November 2026, 06:00 to 14:00",
        "line 1",
        "2 of 3",
        "&lt;b&gt;",
        "9 % free",
        "by <bdi>ann",
    ):
        assert said in answer.text, said


@pytest.mark.parametrize(
    ("params", "accepted", "said"),
    [
        ({}, "de-AT,de;q=0.9,en;q=0.5", "Schichtbericht"),
        ({"language": "de"}, "en", "Schichtbericht"),
        ({"language": "en"}, "de", "Shift report"),
        ({}, "fr", "Shift report"),
    ],
)
def test_the_shift_report_is_in_the_language_asked_for(
    client: Client, params: dict[str, str], accepted: str, said: str
) -> None:
    asked = params | {"at": "2026-11-17T08:00"}
    answer = client.get("/api/v1/reports/shift", params=asked, headers={"accept-language": accepted})
    assert f"<title>{said} " in answer.text


def test_the_shift_report_comes_as_pdf(client: Client) -> None:
    pytest.importorskip("weasyprint", reason="WeasyPrint is not installed", exc_type=ImportError)
    answer = client.get("/api/v1/reports/shift.pdf", params={"at": "2026-11-17T08:00"})
    assert answer.content.startswith(b"%PDF-")
    assert 10_000 < len(answer.content) < 2_000_000
    assert 'filename="shift-2026-11-17-0600.pdf"' in answer.headers["content-disposition"]


def test_a_shift_to_come_and_one_that_runs(client: Client) -> None:
    assert client.get("/api/v1/reports/shift", params={"at": "2999-01-01T08:00"}).status_code == 422
    running = client.get("/api/v1/reports/shift").text
    assert "still running" in running
    assert "No part was inspected" in running


def test_a_study_from_beginning_to_end(client: Client) -> None:
    items = [{"bad": place % 2 == 0, "picture": f"{place:064x}"} for place in range(4)]
    made = client.post("/api/v1/studies", json={"name": "caps", "rounds": 1, "items": items})
    assert made.status_code == 201
    path = f"/api/v1/studies/{made.json()['id']}"
    truth = {one["id"]: one["bad"] for one in client.get(f"{path}/items").json()}
    bob = {"x-caller": "bob/operator"}
    assert client.get(f"{path}/items", headers=bob).status_code == 403, "who rates must not see the truth"
    task = client.get(f"{path}/next", headers=bob).json()["task"]
    while task:
        rating = {"item": task["item"], "reject": truth[task["item"]], "seconds": 1.5}
        task = client.post(f"{path}/ratings", json=rating, headers=bob).json()["task"]
    verdicts = {str(item): "PASS" for item in truth}
    assert client.post(f"{path}/machine", json={"round": 1, "verdicts": verdicts}).status_code == 204
    assert client.get(path).json()["ratings"] == {"bob": 4, "machine": 4}
    for what in ("result", "disputed"):
        assert client.get(f"{path}/{what}").status_code == 409, "others would no longer be blind"
    assert client.post(f"{path}/close").json()["closed_s"] == pytest.approx(time.time(), abs=60)
    result = client.get(f"{path}/result").json()
    assert {one["name"]: one["standing"] for one in result["agreement"]["appraisers"]} == {
        "bob": "acceptable",
        "machine": "unacceptable",
    }
    assert result["claims"]["machine"]["missed"] == 2
    disputed = client.get(f"{path}/disputed").json()
    assert [one["item"]["place"] for one in disputed] == [0, 2]
    assert disputed[0]["ratings"] == [
        {"appraiser": "bob", "round": 1, "reject": True},
        {"appraiser": "machine", "round": 1, "reject": False},
    ]


def test_a_challenge_run_is_kept_as_a_study(client: Client) -> None:
    given = {"name": "run 1", "kind": "challenge", "rounds": 1, "challenge": SHIFT}
    path = f"/api/v1/studies/{client.post('/api/v1/studies', json=given).json()['id']}"
    client.post(f"{path}/close")
    assert client.get(f"{path}/result").json()["claims"]["machine"]["found"] == 2
    assert [one["name"] for one in client.get("/api/v1/studies", params={"limit": 1}).json()] == ["run 1"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"name": "x"}, 422),
        ({"name": "x", "items": [{"bad": True}]}, 422),
        ({"name": "x", "items": [{"bad": True, "picture": "../etc"}]}, 422),
        ({"name": "x", "items": [{"bad": True, "inspection": "none"}]}, 404),
    ],
)
def test_studies_that_cannot_be(client: Client, given: dict[str, object], code: int) -> None:
    assert client.post("/api/v1/studies", json=given).status_code == code
    assert client.get("/api/v1/studies/2147483647").status_code == 404


def test_an_operator_makes_no_study(client: Client) -> None:
    given = {"name": "y", "items": [{"bad": True, "picture": "ab" * 32}]}
    assert client.post("/api/v1/studies", json=given, headers={"x-caller": "bob/operator"}).status_code == 403


def test_every_route_is_described_with_its_answer(app: FastAPI) -> None:
    document = app.openapi()
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert route["description"], (method, path)
            assert set(route["responses"]) & {"200", "201", "204"}, (method, path)
