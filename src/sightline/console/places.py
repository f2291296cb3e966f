"""The menu: what the console has, for whom, and by which key."""

from dataclasses import dataclass

from sightline.service.rights import Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A page that the menu leads to."""

    path: str
    title: str  # English; the menu has it in the reader's language
    icon: str  # by its name in Material Icons
    key: str  # of the browser's access keys: Alt and this key lead there
    right: Right = Right.VIEW  # that who looks at it must have


MENU = (
    Item(path="/", title="Line", icon="precision_manufacturing", key="l"),
    Item(path="/inspections", title="Inspections", icon="grid_view", key="i"),
    Item(path="/review", title="Review", icon="fact_check", key="r", right=Right.REVIEW),
    Item(path="/try", title="Try", icon="image_search", key="t", right=Right.INSPECT),
    Item(path="/quality", title="Quality", icon="insights", key="q"),
    Item(path="/studies", title="Studies", icon="science", key="s"),
    Item(path="/data", title="Data", icon="photo_library", key="d"),
    Item(path="/models", title="Models", icon="model_training", key="m"),
    Item(path="/new-product", title="New product", icon="add_circle", key="n", right=Right.MANAGE),
    Item(path="/health", title="Health", icon="monitor_heart", key="h"),
    Item(path="/admin", title="Admin", icon="admin_panel_settings", key="a", right=Right.ADMINISTER),
)
