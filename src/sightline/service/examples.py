"""An example of each schema whose fields do not bring their own."""

from typing import Any

_INSPECTION = "01987a6e-5b1f-7c3a-9d58-3f2a1c0b9e77"
_JOB = "5d1c4f8e-2a7b-4e0f-9c3d-8b6a1e2f4c5d"
_BOX = {"x": 412, "y": 230, "width": 36, "height": 12}
_DEFECT = {"label": "scratch", "confidence": 0.93, "box": _BOX, "area_px": 318, "area_mm2": 0.41, "peak": 3.2}
_RULE = {"name": "press 3 silent", "kind": "station silent", "params": {"station": "press-3", "minutes": 10}}

EXAMPLES: dict[str, dict[str, Any]] = {
    "AgreementShown": {"items": 50, "bad": 20},
    "AlertOut": {
        "id": 7,
        "rule": "press 3 silent",
        "message": "press-3 has told nothing for 12 minutes.",
        "raised_s": 1_795_000_000.0,
        "seen_s": 1_795_000_120.0,
        "times": 13,
        "acknowledged_by": "ada",
    },
    "AlertPage": {"alerts": [], "unacknowledged": 0},
    "BoxReply": _BOX,
    "CostShown": {"escapes": 1200.0, "overkill": 85.0, "people": 640.0, "running": 90.0, "total": 2015.0},
    "DefectReply": _DEFECT,
    "InspectionReply": {
        "model": "cap",
        "version": 3,
        "model_id": "9b1c4f0e7a52",
        "source": "part-1.png",
        "verdict": "REJECT",
        "score": 3.2,
        "threshold": 1.9,
        "confidence": 0.99,
        "defects": [_DEFECT],
    },
    "ItemShown": {"id": 31, "place": 4, "label": "crack"},
    "JobOrder": {"kind": "train", "params": {"data": "cap", "name": "cap", "method": "patchcore"}},
    "JobOut": {
        "id": _JOB,
        "kind": "train",
        "params": {"data": "cap", "name": "cap"},
        "state": "done",
        "progress": 1.0,
        "attempts": 1,
        "author": "ada",
        "created_s": 1_795_000_000.0,
    },
    "KappaShown": {"kappa": 0.86, "agreed": 0.94, "by_chance": 0.57, "items": 50},
    "KindOut": {"kind": "train", "told": "learn a model from pictures", "params": {"properties": {}}},
    "LineOut": {"number": 12, "at_s": 1_795_000_003.5, "text": "coreset: 400 of 1000"},
    "MachineGiven": {"round": 1, "verdicts": {"31": "REJECT"}},
    "MapReply": {"height": 32, "width": 32, "values": "AACAPwAAgD8=", "start": 2.7, "full": 7.2},
    "PairShown": {"first": "ada", "second": "bob", "kappa": 0.86},
    "PointShown": {"value": 0.021, "low": 0.0, "high": 0.034, "deviation": 1.7},
    "RatingGiven": {"item": 31, "verdict": "REJECT", "label": "crack"},
    "ResultShown": {"claims": {"ada": "19 of 20 found: at least 0.784 with 0.95 confidence"}},
    "RuleIn": _RULE,
    "RuleKindOut": {"kind": "station silent", "told": "a station reports nothing", "params": {"properties": {}}},
    "RuleOut": {**_RULE, "id": 3, "active": True},
    "SignalShown": {"rule": 1, "points": [14]},
    "StudyGiven": {"name": "shift A, autumn", "product": "cap", "rounds": 2},
    "StudyShown": {"id": 2, "name": "shift A, autumn", "product": "cap", "rounds": 2, "note": "", "author": "ada"},
    "TaskShown": {"item": 31, "inspection": _INSPECTION, "picture": "9b" * 32, "round": 1, "done": 4, "of": 100},
    "TimingsReply": {"queued_ms": 0.4, "decode_ms": 6.1, "graph_ms": 10.2, "total_ms": 17.9},
    "Tried": {"status": 204, "seconds": 0.08},
    "View": {"view": "top", "shadow_model": "cap 4"},
    "WebhookIn": {"url": "https://mes.example.com/sightline", "events": ["inspection.rejected"]},
    "WebhookOut": {
        "id": 5,
        "url": "https://mes.example.com/sightline",
        "events": ["inspection.rejected"],
        "author": "ada",
        "created_s": 1_795_000_000.0,
        "waiting": 0,
        "given_up": 0,
    },
}
