"""Scripts of single pages, and values handed to them."""

import json

from nicegui import ui

from sightline.console.gate import ASSETS


def load_script(name: str) -> None:
    """Have the page load a script of ours, behind console.js."""
    ui.add_head_html(f'<script src="{ASSETS}/{name}" defer></script>')


def scripted(value: object) -> str:
    """A value as a script has it; nothing in it can end the script."""
    return json.dumps(value).replace("<", "\\u003c")
