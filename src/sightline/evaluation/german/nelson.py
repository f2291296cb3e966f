"""Nelson's rules in German: for the shift report and the console."""

TEXTS = {
    "one point beyond 3 sigma": "ein Punkt jenseits von 3 Sigma",
    "a single event: a wrong setting, a bad batch, a new person": (
        "ein einzelnes Ereignis: eine falsche Einstellung, eine schlechte Charge, ein neuer Mensch"
    ),
    "nine points in a row on one side of the centre": "neun Punkte in Folge auf einer Seite der Mitte",
    "the level has moved and stays there": "das Niveau hat sich verschoben und bleibt dort",
    "six points in a row steadily rising or falling": "sechs Punkte in Folge stetig steigend oder fallend",
    "a drift: wear, dirt, temperature": "eine Drift: Verschleiß, Schmutz, Temperatur",
    "fourteen points in a row alternating up and down": "vierzehn Punkte in Folge abwechselnd auf und ab",
    "two causes in turn: two tools, two suppliers, over-correction": (
        "zwei Ursachen im Wechsel: zwei Werkzeuge, zwei Lieferanten, Übersteuern"
    ),
    "two of three points in a row beyond 2 sigma on one side": (
        "zwei von drei Punkten in Folge jenseits von 2 Sigma auf einer Seite"
    ),
    "the level has moved a good deal": "das Niveau hat sich deutlich verschoben",
    "four of five points in a row beyond 1 sigma on one side": (
        "vier von fünf Punkten in Folge jenseits von 1 Sigma auf einer Seite"
    ),
    "the level has moved a little": "das Niveau hat sich ein wenig verschoben",
    "fifteen points in a row within 1 sigma of the centre": (
        "fünfzehn Punkte in Folge innerhalb von 1 Sigma um die Mitte"
    ),
    "sources are mixed within the points, or the limits are too wide": (
        "in den Punkten sind Quellen gemischt, oder die Grenzen sind zu weit"
    ),
    "eight points in a row beyond 1 sigma, on both sides": (
        "acht Punkte in Folge jenseits von 1 Sigma, auf beiden Seiten"
    ),
    "points come from two different sources": "die Punkte kommen aus zwei verschiedenen Quellen",
}
