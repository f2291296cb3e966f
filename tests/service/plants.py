"""A plant for tests that need a part of one."""

from sightline.service.plant import Plant


def plant_with(**parts: object) -> Plant:
    """What is not given is not there: asking for it is an AttributeError."""
    plant = object.__new__(Plant)
    for name, part in parts.items():
        setattr(plant, name, part)
    return plant
