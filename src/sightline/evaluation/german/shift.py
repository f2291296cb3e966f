"""The shift report in German; templates/shift.html, shift_report.py and quality_plots.py say it."""

TEXTS = {
    # what it is of
    "Shift report": "Schichtbericht",
    "still running": "läuft noch",
    "{weekday}, {day} {month} {year}, {begin} to {end}": "{weekday}, {day}. {month} {year}, {begin} bis {end} Uhr",
    "Monday": "Montag",
    "Tuesday": "Dienstag",
    "Wednesday": "Mittwoch",
    "Thursday": "Donnerstag",
    "Friday": "Freitag",
    "Saturday": "Samstag",
    "Sunday": "Sonntag",
    "January": "Januar",
    "February": "Februar",
    "March": "März",
    "April": "April",
    "May": "Mai",
    "June": "Juni",
    "July": "Juli",
    "August": "August",
    "September": "September",
    "October": "Oktober",
    "November": "November",
    "December": "Dezember",
    "all lines": "alle Linien",
    "all products": "alle Produkte",
    "line {name}": "Linie {name}",
    "product {name}": "Produkt {name}",
    "station {name}": "Station {name}",
    "times in {zone}": "Zeiten in {zone}",
    "written {time} by": "geschrieben {time} von",
    # the shift in words
    "No part was inspected in this shift.": "In dieser Schicht wurde kein Teil geprüft.",
    "part": "Teil",
    "parts": "Teile",
    "escape": "Fehlschlupf",
    "escapes": "Fälle von Fehlschlupf",
    "challenge part": "Prüfkörper",
    "challenge parts": "Prüfkörper",
    "signal": "Signal",
    "signals": "Signale",
    "stop": "Stillstand",
    "stops": "Stillstände",
    "repeat": "Wiederholung",
    "repeats": "Wiederholungen",
    "{parts} inspected, {passed} passed ({share}).": "{parts} geprüft, {passed} gut ({share}).",
    "{escapes} reported: bad parts that had been passed.": (
        "{escapes} gemeldet: schlechte Teile, die durchgelassen wurden."
    ),
    "{parts} missed. Check the station before it goes on.": "{parts} übersehen. Prüfen Sie die Station, bevor es"
    " weitergeht.",
    "{parts} could not be judged and left by the reject gate.": "Nicht beurteilbar und ausgeschleust: {parts}.",
    "{parts} got the verdict too late and left by the reject gate.": "Urteil zu spät und ausgeschleust: {parts}.",
    "The rejected share was out of control ({signals}, see below).": (
        "Der Ausschussanteil war außer Kontrolle ({signals}, siehe unten)."
    ),
    "Stations saw no part for {time} in {stops}.": "Ohne Teile waren Stationen {time} lang ({stops}).",
    # tiles
    "Key figures": "Kennzahlen",
    "Parts inspected": "Geprüfte Teile",
    "shift before: {count}": "Schicht davor: {count}",
    "First-pass yield": "First-Pass-Yield",
    "{passed} of {parts}; {repeats}": "{passed} von {parts}; {repeats}",
    "repeats not looked for": "Wiederholungen nicht gesucht",
    "{repeats} left out": "{repeats} nicht gezählt",
    "Not passed": "Nicht gut",
    "{rejected} rejected, {review} for review; before: {before}": "{rejected} Ausschuss, {review} zum Nachsehen; davor:"
    " {before}",
    "Challenge parts": "Prüfkörper",
    "none was shown in this shift": "in dieser Schicht wurde keiner gezeigt",
    "{found} of {shown}": "{found} von {shown}",
    "{found} of {shown} found: {proven}": "{found} von {shown} gefunden: {proven}",
    "at least {share} % with {confidence} % confidence.": "mindestens {share} % mit {confidence} % Vertrauen.",
    # parts and defects
    "Parts and defects": "Teile und Fehler",
    "Parts by the hour": "Teile je Stunde",
    "A gap is an hour in which the line stood still or had nothing to inspect.": (
        "Eine Lücke ist eine Stunde, in der die Linie stillstand oder nichts zu prüfen hatte."
    ),
    "Passed parts, and on top of them those not passed.": "Gutteile, und darüber die nicht guten.",
    "passed": "gut",
    "not passed": "nicht gut",
    "not judged": "nicht beurteilt",
    "hour, local time": "Stunde, Ortszeit",
    "not shown: there were no parts": "nicht gezeigt: es gab keine Teile",
    "Pareto of defects": "Pareto der Fehler",
    "Parts not passed by their worst defect. Strong colour: the few kinds that make 80 % of all.": (
        "Nicht gute Teile nach ihrem schlimmsten Fehler. Kräftige Farbe: die wenigen Arten, die 80 % ausmachen."
    ),
    "Parts not passed by their worst defect, the most frequent first.": (
        "Nicht gute Teile nach ihrem schlimmsten Fehler, die häufigsten zuerst."
    ),
    "share, together": "Anteil, zusammen",
    "others": "übrige",
    "{label}: {count} of {total}": "{label}: {count} von {total}",
    "not shown: no defect was found": "nicht gezeigt: kein Fehler wurde gefunden",
    "Station": "Station",
    "Parts": "Teile",
    "Passed": "Gut",
    "Rejected": "Ausschuss",
    "Review": "Nachsehen",
    "Not judged": "Nicht beurteilt",
    # the control chart
    "Is the process in control?": "Ist der Prozess unter Kontrolle?",
    "Rejected share by the hour": "Ausschussanteil je Stunde",
    "Defects per part by the hour": "Fehler je Teil je Stunde",
    "Points between their limits at three sigma.": "Punkte zwischen ihren Grenzen bei drei Sigma.",
    "p-chart of this shift (shaded) and the hours before. Numbers: the rules broken. Limits are wider in hours with"
    " fewer parts.": (
        "p-Karte dieser Schicht (hinterlegt) und der Stunden davor. Zahlen: die verletzten Regeln. In Stunden mit"
        " weniger Teilen sind die Grenzen weiter."
    ),
    "dashed: limits at 3 sigma; line: centre": "gestrichelt: Grenzen bei 3 Sigma; Linie: Mitte",
    "rule {number}": "Regel {number}",
    "What is unusual": "Was ungewöhnlich ist",
    "Nothing unusual": "Nichts Ungewöhnliches",
    "{when}: {what}{level} (rule {rule}). It often means {hint}.": "{when}: {what}{level} (Regel {rule}). Es heißt oft:"
    " {hint}.",
    "From {first} to {last}": "Von {first} bis {last}",
    "At {times}": "Um {times}",
    "{names} and {last}": "{names} und {last}",
    ", more rejects than usual": ", mehr Ausschuss als sonst",
    ", fewer rejects than usual": ", weniger Ausschuss als sonst",
    "Look for what changed then: tool, material, setting, light, person. Chance alone makes such a signal now and then;"
    " rule 1 about once in 370 hours.": "Suchen Sie, was sich da geändert hat: Werkzeug, Material, Einstellung, Licht,"
    " Mensch. Auch der Zufall allein macht ab und zu ein solches Signal; Regel 1 etwa einmal in 370 Stunden.",
    "No hour of this shift breaks one of Nelson's eight rules: what varies is chance. Changing settings because of it"
    " would make it worse.": "Keine Stunde dieser Schicht verletzt eine der acht Regeln von Nelson: was schwankt, ist"
    " Zufall. Deswegen etwas zu verstellen, machte es schlechter.",
    "Provisional:": "Vorläufig:",
    "the centre was learned from {hours} hours only; 20 are needed.": (
        "die Mitte wurde aus nur {hours} Stunden gelernt; 20 braucht es."
    ),
    # challenge parts and escapes
    "Challenge parts and escapes": "Prüfkörper und Fehlschlupf",
    "{count} more could not be judged.": "{count} weitere waren nicht beurteilbar.",
    "No challenge part was shown: what the line finds was not checked in this shift.": (
        "Kein Prüfkörper wurde gezeigt: was die Linie findet, wurde in dieser Schicht nicht geprüft."
    ),
    "No challenge part was shown that could be judged: what the line finds was not checked in this shift.": "Kein"
    " beurteilbarer Prüfkörper wurde gezeigt: was die Linie findet, wurde in dieser Schicht nicht geprüft.",
    "Recall estimated from {count} passed parts that people looked at:": (
        "Erkennungsrate, geschätzt aus {count} Gutteilen, die Menschen angesehen haben:"
    ),
    "95 % interval {low} to {high}": "95-%-Intervall {low} bis {high}",
    "Found": "Gefunden",
    "Product": "Produkt",
    "Serial": "Seriennummer",
    "Defect": "Fehler",
    "Where": "Wo",
    "No escape was reported.": "Kein Fehlschlupf wurde gemeldet.",
    "and {count} more": "und {count} weitere",
    # faults and stops
    "Faults and stops": "Störungen und Stillstände",
    "Not judged because of": "Nicht beurteilt wegen",
    "Every part could be judged.": "Jedes Teil war beurteilbar.",
    "There was no part to judge.": "Es gab kein Teil zu beurteilen.",
    "No part at": "Kein Teil an",
    "From": "Von",
    "For": "Dauer",
    "No station was without parts for more than {time}.": "Keine Station war länger als {time} ohne Teile.",
    # alerts
    "Open alerts": "Offene Meldungen",
    "Since": "Seit",
    "What": "Was",
    "Message": "Meldung",
    "Acknowledged": "Bestätigt",
    "nobody yet": "noch niemand",
    "There is none.": "Es gibt keine.",
    # money
    "Money": "Geld",
    "Escapes": "Fehlschlupf",
    "Overkill": "Pseudofehler",
    "People": "Menschen",
    "Running": "Betrieb",
    "Total": "Summe",
    "With the system": "Mit dem System",
    "People inspecting every part": "Prüfung jedes Teils durch Menschen",
    "saved, by the prices that are set. Escapes are those known so far.": "gespart, nach den gesetzten Preisen. Beim"
    " Fehlschlupf zählt, was bisher bekannt ist.",
    "more than manual inspection, by the prices that are set. Escapes are those known so far.": (
        "mehr als die Prüfung von Hand, nach den gesetzten Preisen. Beim Fehlschlupf zählt, was bisher bekannt ist."
    ),
    # hand-over
    "Hand-over": "Übergabe",
    "Remarks": "Bemerkungen",
    "Handed over by": "Übergeben von",
    "Taken over by": "Übernommen von",
    "Date, time": "Datum, Uhrzeit",
}
