"""What stands in the picture viewer."""

TEXTS = {
    "Box": "Rechteck",
    "Brush": "Pinsel",
    "Clear": "Alles löschen",
    "Colours": "Farben",
    "Delete the selected": "Gewähltes löschen",
    "Findings": "Befunde",
    "Full screen": "Ganzer Bildschirm",
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
    "blue-orange": "Blau-Orange",
    "grey": "Grau",
    "inferno": "Inferno",
    "viridis": "Viridis",
}
