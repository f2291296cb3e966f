"""Trying a model on pictures of one's own."""

TEXTS = {
    "Choose pictures": "Bilder auswählen",
    "Colours": "Farben",
    "Confidence": "Sicherheit",
    "Decoding": "Entpacken",
    "Drop a picture of a part to see what the model says of it.": "Legen Sie das Bild eines Teils ab, um zu sehen, was"
    " das Modell dazu sagt.",
    "Drop pictures here, paste them, or": "Bilder hier ablegen, einfügen oder",
    "Heat map": "Anomaliekarte",
    "In all, with the way there and back": "Insgesamt, mit Hin- und Rückweg",
    "Model": "Modell",
    "Model at work": "Modell",
    "No defect was found.": "Kein Fehler gefunden.",
    "Only the first {number} pictures are tried at once.": "Nur die ersten {number} Bilder werden auf einmal geprüft.",
    "Pictures are judged as a station would, and not kept.": "Bilder werden beurteilt wie an einer Station und nicht"
    " behalten.",
    "Pictures tried": "Ausprobierte Bilder",
    "Regions": "Regionen",
    "Size": "Größe",
    "Take a picture": "Bild aufnehmen",
    "The model is at work …": "Das Modell arbeitet …",
    "The server's model": "Modell des Servers",
    "Try again": "Noch einmal",
    "Waiting": "Warten",
}
