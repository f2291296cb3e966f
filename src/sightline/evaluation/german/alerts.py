"""Alerts in German: for the shift report and the console. A place in braces is whatever stands there."""

SENTENCES = {
    "{count} of {of} parts rejected in {minutes} minutes ({share}); usual are {usual} of {total} ({before}).": (
        "{count} von {of} Teilen in {minutes} Minuten Ausschuss ({share}); üblich sind {usual} von {total} ({before})."
    ),
    "defects are named with {now} on average; usual are {before}.": (
        "Fehler werden im Mittel mit {now} benannt; üblich sind {before}."
    ),
    "scores of passed parts are {now} on average; usual are {before} with a deviation of {spread}. Check light,"
    " lens and material.": (
        "Werte von Gutteilen sind im Mittel {now}; üblich sind {before} bei einer Streuung von {spread}. Prüfen Sie"
        " Licht, Objektiv und Material."
    ),
    "1 % of {parts} parts took {slow} ms or longer; the limit is {limit} ms.": (
        "1 % von {parts} Teilen dauerten {slow} ms oder länger; die Grenze ist {limit} ms."
    ),
    "has not reported for {span}. Check the station and its network.": (
        "hat sich seit {span} nicht gemeldet. Prüfen Sie die Station und ihr Netz."
    ),
    "{share} of the disk are free ({room} GB). Free some space.": (
        "{share} der Festplatte sind frei ({room} GB). Schaffen Sie Platz."
    ),
    "cannot be read ({name}). Check the disk.": "ist nicht lesbar ({name}). Prüfen Sie die Festplatte.",
}
PIECES = {  # of which sentences are put together
    "{count} days": "{count} Tagen",
    "{count} hours": "{count} Stunden",
    "{count} minutes": "{count} Minuten",
}
RULES = {  # as they are called where nobody gave them another name
    "defect rate": "Fehleranteil",
    "confidence drop": "sinkende Sicherheit",
    "drift": "Drift",
    "latency": "Dauer",
    "station silent": "Station stumm",
    "disk": "Festplatte",
}
