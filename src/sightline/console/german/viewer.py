"""What stands in the picture viewer."""

TEXTS = {
    "Arrows move the brush, with Shift farther; Space puts it down and lifts it, comma and full stop make it narrower"
    " and wider": "Pfeile bewegen den Pinsel, mit Umschalt weiter; Leertaste setzt ihn auf und hebt ihn ab, Komma"
    " und Punkt machen ihn schmaler und breiter",
    "Arrows move the cross, with Shift farther; Space sets a corner, Enter closes, Escape drops it": "Pfeile bewegen"
    " das Kreuz, mit Umschalt weiter; Leertaste setzt eine Ecke, Eingabe schließt, Escape verwirft",
    "Arrows move the cross, with Shift farther; Space sets a corner, Escape drops it": "Pfeile bewegen das Kreuz,"
    " mit Umschalt weiter; Leertaste setzt eine Ecke, Escape verwirft",
    "Box": "Rechteck",
    "Brush": "Pinsel",
    "Clear": "Alles löschen",
    "Colours": "Farben",
    "Corner": "Ecke",
    "Delete the selected": "Gewähltes löschen",
    "Dropped": "Verworfen",
    "Findings": "Befunde",
    "Full screen": "Ganzer Bildschirm",
    "It is too small, and was dropped": "Es ist zu klein und wurde verworfen",
    "Label": "Bezeichnung",
    "Magnification": "Vergrößerung",
    "Map": "Anomaliekarte",
    "Move": "Verschieben",
    "One pixel is one pixel": "Ein Pixel ist ein Pixel",
    "Overlay": "Überlagerung",
    "Picture": "Bild",
    "Picture: + and - zoom, 0 shows all of it, arrows move": "Bild: + und - vergrößern und verkleinern,"
    " 0 zeigt es ganz, Pfeile verschieben",
    "Polygon": "Vieleck",
    "Score": "Wert",
    "The brush is down": "Der Pinsel ist aufgesetzt",
    "The model looks at the picture …": "Das Modell sieht sich das Bild an …",
    "The overlay has another shape than the picture, and is not shown.": "Die Überlagerung hat eine andere Form als das"
    " Bild und wird nicht gezeigt.",
    "There is no room for more shapes; save them first.": "Für mehr Markierungen ist kein Platz;"
    " speichern Sie sie erst.",
    "Threshold": "Schwelle",
    "Undo": "Rückgängig",
    "Whole picture": "Ganzes Bild",
    "Width": "Breite",
    "Zoom in": "Vergrößern",
    "Zoom out": "Verkleinern",
    "anomaly": "Anomalie",
    "blue-orange": "Blau-Orange",
    "grey": "Grau",
    "inferno": "Inferno",
    "viridis": "Viridis",
}
