"""Who may do what."""

from enum import StrEnum


class Right(StrEnum):
    """What a route asks for; each route of the API asks for one, or is public."""

    VIEW = "view"  # results, pictures, figures, health
    INSPECT = "inspect"  # have a picture judged
    REPORT = "report"  # bring in what a station saw
    REVIEW = "review"  # decide and label
    MANAGE = "manage"  # models, data sets, recipes, jobs, studies, alerts
    ADMINISTER = "administer"  # users, keys, webhooks, storage, the audit trail


class Role(StrEnum):
    """What somebody is; a role holds rights."""

    STATION = "station"
    OPERATOR = "operator"
    QUALITY_ENGINEER = "quality engineer"
    ADMINISTRATOR = "administrator"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.STATION: frozenset({Right.REPORT, Right.INSPECT}),
    Role.OPERATOR: frozenset({Right.VIEW, Right.INSPECT, Right.REVIEW}),
    Role.QUALITY_ENGINEER: frozenset({Right.VIEW, Right.INSPECT, Right.REVIEW, Right.MANAGE}),
    Role.ADMINISTRATOR: frozenset(Right) - {Right.REPORT},
}
