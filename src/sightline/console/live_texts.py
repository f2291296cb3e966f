"""What the live page says, in the reader's language; the browser puts it together."""

from sightline.console.session import Session
from sightline.line.faults import Fault
from sightline.line.fitness import Cause


def texts(session: Session) -> dict[str, str]:
    """By what the page calls them; `{name}` is filled in by the browser."""
    text = session.text
    return {
        "PASS": text("PASS"),
        "REJECT": text("REJECT"),
        "REVIEW": text("REVIEW"),
        "FAULT": text("FAULT"),
        "passed": text("Passed"),
        "rejected": text("Rejected"),
        "review": text("To review"),
        "faults": text("Faults"),
        "late": text("Late"),
        "yield": text("Yield"),
        "rate": text("Parts per minute"),
        "latency": text("Latency"),
        "latencyDetail": text("median; 95 % within {p95} ms"),
        "shift": text("Shift since {time}"),
        "share": text("{share} of {parts}"),
        "last": text("Last part"),
        "lastParts": text("Last parts"),
        "stopped": text("Last parts that did not pass"),
        "noneStopped": text("All parts passed."),
        "none": text("No part has come yet. A station reports here as soon as it judges one."),
        "score": text("Score"),
        "threshold": text("Threshold"),
        "scores": text("Score of the last parts, as a share of the threshold"),
        "latencies": text("Latency of the last parts, in ms"),
        "stations": text("Stations"),
        "reports": text("reports"),
        "quiet": text("quiet for {time}"),
        "lastFaults": text("Last faults: cause and cure"),
        "noFaults": text("No faults among the last parts."),
        "alarms": text("Alarms"),
        "acknowledge": text("Acknowledge"),
        "acknowledged": text("{name} takes care of it."),
        "away": text("The plant's database does not answer. What you see is as it was at {time}."),
        "picture": text("Picture of {name}"),
        "noPicture": text("no picture"),
        "part": text("{name}: {verdict}"),
        "wasLate": text("late"),
        "seconds": text("{n} s"),
        "minutes": text("{n} min"),
        "hours": text("{n} h"),
        "days": text("{n} d"),
    }


def causes(session: Session) -> dict[str, dict[str, str]]:
    """What is behind a FAULT and what to do, by its cause; under the empty one, for all others."""
    known = {fault.name.lower(): (fault.cause, fault.cure) for fault in Fault if fault.of_a_part}
    known |= {cause.value: (cause.replace("_", " "), Fault.UNFIT.cure) for cause in Cause}
    known[""] = Fault.UNFIT.cause, Fault.UNFIT.cure
    return {name: {"cause": session.text(cause), "cure": session.text(cure)} for name, (cause, cure) in known.items()}
