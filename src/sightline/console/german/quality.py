"""The pages Quality and Shift report."""

TEXTS = {
    "At a glance": "Auf einen Blick",
    "Calculating …": "Wird berechnet …",
    "7 days": "7 Tage",
    "30 days": "30 Tage",
    "All lines": "Alle Linien",
    "All products": "Alle Produkte",
    "All stations": "Alle Stationen",
    "And {more} more signals, which the chart marks.": "Und {more} weitere Signale, die in der Karte markiert sind.",
    "Bad parts that had been passed and were found in this time, at a customer or further down the line. How"
    " many there may be in truth is estimated from the audit sample, with its 95 % interval.": (
        "Schlechte Teile, die als gut durchgelassen und in dieser Zeit gefunden wurden, beim Kunden oder weiter"
        " hinten in der Linie. Wie viele es in Wahrheit sein mögen, wird aus der Auditstichprobe geschätzt, mit"
        " 95-%-Intervall."
    ),
    "Compare": "Vergleichen",
    "Cost saved": "Ersparnis",
    "Count": "Anzahl",
    "Defect": "Fehler",
    "Defect positions": "Fehlerlage",
    "Defects in a cell": "Fehler in einer Zelle",
    "Defects per part in each period, with limits at 3 sigma for its number of parts (Montgomery, 7.3). A part"
    " may have several defects. Marked points have a cause of their own.": (
        "Fehler je Teil in jedem Zeitabschnitt, mit Eingriffsgrenzen bei 3 Sigma für dessen Teilezahl (Montgomery,"
        " 7.3). Ein Teil kann mehrere Fehler haben. Markierte Punkte haben eine eigene Ursache."
    ),
    "Each report leads to the part that was passed. One that was a mistake is taken back, with a reason.": "Jede"
    " Meldung führt zu dem Teil, das durchgelassen wurde. Eine irrtümliche wird mit einem Grund zurückgenommen.",
    "Escapes found later": "Später gefundener Fehlschlupf",
    "False rejects": "Pseudofehler",
    "Fewer than {few} scores in this time: too few to show a drift.": (
        "Weniger als {few} Werte in dieser Zeit: zu wenige, um eine Drift zu zeigen."
    ),
    "Figures as a table": "Zahlen als Tabelle",
    "First-pass yield": "First-Pass-Yield",
    "For an estimate people must look at some passes and some rejects: the audit sample in Review.": (
        "Für eine Schätzung müssen Menschen einige Gutteile und einige Ausschussteile ansehen: die Auditstichprobe"
        " unter Nachsehen."
    ),
    "From": "Von",
    "Length": "Dauer",
    "Length of the periods": "Länge der Zeitabschnitte",
    "Limits": "Grenzen",
    "No part was inspected in this time. Choose a longer one, or see on the page Line whether a station runs.": (
        "In dieser Zeit wurde kein Teil geprüft. Wählen Sie eine längere, oder sehen Sie auf der Seite Linie nach,"
        " ob eine Station läuft."
    ),
    "No part with a defect was rejected in this time.": (
        "In dieser Zeit wurde kein Teil mit einem Fehler aussortiert."
    ),
    "No period has {few} parts: too few for a course. Choose longer periods.": (
        "Kein Zeitabschnitt hat {few} Teile: zu wenige für einen Verlauf. Wählen Sie längere Abschnitte."
    ),
    "No prices are set: they are in the section quality of the server's settings.": (
        "Es sind keine Preise gesetzt: sie stehen im Abschnitt quality der Einstellungen des Servers."
    ),
    "No signal: what varies in these {points} points is chance.": (
        "Kein Signal: was in diesen {points} Punkten schwankt, ist Zufall."
    ),
    "No station stood still for more than five minutes.": "Keine Station stand länger als fünf Minuten still.",
    "Nobody has looked at rejects of this time yet; do so on the page Review.": (
        "Noch niemand hat Ausschuss dieser Zeit angesehen; tun Sie es auf der Seite Nachsehen."
    ),
    "Not passed": "Nicht gut",
    "On average less than one was counted in a period: longer periods would show more.": (
        "Im Mittel wurde je Abschnitt weniger als einer gezählt: längere Abschnitte zeigten mehr."
    ),
    "Only those that were reported; nothing can be estimated yet.": (
        "Nur die gemeldeten; schätzen lässt sich noch nichts."
    ),
    "Only {total} parts with a defect: too few for an order.": (
        "Nur {total} Teile mit einem Fehler: zu wenige für eine Rangfolge."
    ),
    "Open alone": "Allein öffnen",
    "Overkill: rejects that people found to be good, of the rejects that people looked at. In brackets the 95"
    " % interval.": (
        "Ausschuss, den Menschen für gut befanden, von dem Ausschuss, den sie angesehen haben. In Klammern das"
        " 95-%-Intervall."
    ),
    "Own range": "Eigene Zeit",
    "PDF": "PDF",
    "Pareto of defects": "Pareto der Fehler",
    "Parts": "Teile",
    "Parts inspected in this time, of all verdicts. Challenge parts do not count.": (
        "In dieser Zeit geprüfte Teile, gleich mit welchem Urteil. Prüfkörper zählen nicht."
    ),
    "Parts not passed by the kind of their worst defect, the most frequent first; the line adds them up."
    " Strong bars are the fewest kinds that make 80 % (Juran 1951): begin there. Choose a kind to see its"
    " parts.": (
        "Nicht gute Teile nach der Art ihres schlimmsten Fehlers, die häufigste zuerst; die Linie zählt sie"
        " zusammen. Kräftige Balken sind die wenigsten Arten, die 80 % ausmachen (Juran 1951): beginnen Sie dort."
        " Wählen Sie eine Art, um ihre Teile zu sehen."
    ),
    "Parts that were judged and not passed: rejected, or left to a person. In brackets the 95 % interval of"
    " their share.": (
        "Teile, die beurteilt und nicht für gut befunden wurden: Ausschuss, oder einem Menschen überlassen. In"
        " Klammern das 95-%-Intervall ihres Anteils."
    ),
    "Period": "Zeitabschnitt",
    "Print": "Drucken",
    "Product": "Produkt",
    "Quantiles of about 400 scores of each period: half of the parts lie below the line of 50 %. When they"
    " creep towards the threshold, something has changed: light, lens, material, or the parts themselves.": (
        "Quantile von etwa 400 Werten jedes Zeitabschnitts: die Hälfte der Teile liegt unter der Linie von 50 %."
        " Kriechen sie auf die Schwelle zu, hat sich etwas geändert: Licht, Objektiv, Material oder die Teile"
        " selbst."
    ),
    "Recall estimate": "Geschätzte Erkennungsrate",
    "Rejects": "Ausschuss",
    "Reported; there may be {low} to {high} by the audit sample.": (
        "Gemeldet; nach der Auditstichprobe mögen es {low} bis {high} sein."
    ),
    "Reported by": "Gemeldet von",
    "Rules": "Regeln",
    "Scores": "Werte",
    "Scores over time": "Werte im Zeitverlauf",
    "Share (95 % interval)": "Anteil (95-%-Intervall)",
    "{more} with fewer parts are left out.": "{more} mit weniger Teilen sind weggelassen.",
    "Share of parts not passed by station, line, product, lot or tool, and by the shift of the day. Where"
    " the 95 % intervals of two do not overlap, they differ by more than chance. Periods with fewer than {few} parts"
    " are left out.": (
        "Anteil nicht guter Teile nach Station, Linie, Produkt, Charge oder Werkzeug und nach der Schicht des Tages. Wo"
        " sich die 95-%-Intervalle zweier nicht überlappen, unterscheiden sie sich um mehr als den Zufall. Abschnitte"
        " mit weniger als {few} Teilen sind weggelassen."
    ),
    "Share of the bad parts that are caught: caught / (caught + escapes). The escapes are estimated from"
    " passes that were drawn at random and looked at by people, each product for itself. The interval holds"
    " with 95 % confidence.": (
        "Anteil der schlechten Teile, die gefunden werden: gefunden / (gefunden + Fehlschlupf). Der Fehlschlupf"
        " wird aus Gutteilen geschätzt, die zufällig gezogen und von Menschen angesehen wurden, jedes Produkt für"
        " sich. Das Intervall gilt mit 95 % Vertrauen."
    ),
    "Share of the parts that passed at their first inspection at a station (ISO 22400-2). A part that comes"
    " back with the same serial number does not count again. The interval is where the true share lies with 95"
    " % confidence.": (
        "Anteil der Teile, die bei ihrer ersten Prüfung an einer Station gut waren (ISO 22400-2). Ein Teil, das"
        " mit derselben Seriennummer wiederkommt, zählt nicht noch einmal. Im Intervall liegt der wahre Anteil mit"
        " 95 % Vertrauen."
    ),
    "Shift from": "Schicht ab",
    "Shift report": "Schichtbericht",
    "Show": "Zeigen",
    "Signals": "Signale",
    "Station": "Station",
    "Stops": "Stillstände",
    "Take back": "Zurücknehmen",
    "Take back {name}": "{name} zurücknehmen",
    "Take this report back?": "Diese Meldung zurücknehmen?",
    "The escape counts no longer. The audit trail keeps what was reported.": "Der Fehlschlupf zählt nicht mehr. Das"
    " Änderungsprotokoll behält, was gemeldet wurde.",
    "The last good part, view {view}": "Das letzte Gutteil, Ansicht {view}",
    "The limits are provisional: fewer than 20 points. Take signals as a hint.": (
        "Die Grenzen sind vorläufig: weniger als 20 Punkte. Nehmen Sie Signale als Hinweis."
    ),
    "The median score went from {first} to {last}.": "Der Median der Werte ging von {first} auf {last}.",
    "The middles of the defects of the newest 10,000 parts not passed, over the last good picture of the part."
    " Defects that pile up in one place have one cause there: a tool, a gripper, a lamp, or a mask that is"
    " missing.": (
        "Die Mitten der Fehler der neuesten 10.000 nicht guten Teile, über dem letzten guten Bild des Teils."
        " Fehler, die sich an einer Stelle häufen, haben dort eine Ursache: ein Werkzeug, einen Greifer, eine"
        " Lampe oder eine fehlende Maske."
    ),
    "The report is taken back.": "Die Meldung ist zurückgenommen.",
    "The share of parts not passed in each period, with limits at 3 sigma for its number of parts (Montgomery,"
    " 7.2). Points outside, or in a pattern that chance seldom makes (Nelson 1984), are marked: look for a"
    " cause there.": (
        "Der Anteil nicht guter Teile in jedem Zeitabschnitt, mit Eingriffsgrenzen bei 3 Sigma für dessen"
        " Teilezahl (Montgomery, 7.2). Punkte außerhalb, oder in einem Muster, das der Zufall selten macht (Nelson"
        " 1984), sind markiert: suchen Sie dort eine Ursache."
    ),
    "The threshold is {threshold}.": "Die Schwelle ist {threshold}.",
    "There are parts of several products: choose one above, to see its defects on it.": (
        "Es gibt Teile mehrerer Produkte: wählen Sie oben eines, um dessen Fehler darauf zu sehen."
    ),
    "These are the {number} found last.": "Das sind die {number} zuletzt gefundenen.",
    "This shift": "Diese Schicht",
    "Threshold": "Schwelle",
    "Time": "Zeit",
    "Times of more than five minutes in which a station saw no part; the longest 200 count.": (
        "Zeiten von mehr als fünf Minuten, in denen eine Station kein Teil sah; die 200 längsten zählen."
    ),
    "Today": "Heute",
    "Too few for a pattern.": "Zu wenige für ein Muster.",
    "Trend and comparison": "Verlauf und Vergleich",
    "Until": "Bis",
    "Value": "Wert",
    "View {view}: {count} of {defects} defects ({share}) lie at the {row} {column}.": (
        "Ansicht {view}: {count} von {defects} Fehlern ({share}) liegen {row} {column}."
    ),
    "What inspection by people of every part would have cost in this time, less what it cost with the system:"
    " escapes, overkill, people and running. Escapes are the estimate, or those reported if they are more.": (
        "Was die Prüfung jedes Teils durch Menschen in dieser Zeit gekostet hätte, weniger dem, was sie mit dem"
        " System gekostet hat: Fehlschlupf, Pseudofehler, Menschen und Betrieb. Der Fehlschlupf ist der"
        " geschätzte, oder der gemeldete, wenn der größer ist."
    ),
    "What is this: {name}": "Was ist das: {name}",
    "bottom": "unten",
    "by the day": "je Tag",
    "by the hour": "je Stunde",
    "by the shift": "je Schicht",
    "centre": "Mitte",
    "cumulative": "zusammen",
    "fewer than usual": "weniger als sonst",
    "left": "links",
    "limits at 3 sigma": "Grenzen bei 3 Sigma",
    "middle": "mittig",
    "more than usual": "mehr als sonst",
    "p-chart: share of parts not passed": "p-Karte: Anteil nicht guter Teile",
    "right": "rechts",
    "top": "oben",
    "u-chart: defects per part": "u-Karte: Fehler je Teil",
    "value": "Wert",
    "{begin} (runs)": "{begin} (läuft)",
    "{count} of {kinds} kinds make {share} of {total} parts with a defect: {names}.": (
        "{count} von {kinds} Arten machen {share} von {total} Teilen mit einem Fehler aus: {names}."
    ),
    "{count} of {of} rejects that people looked at ({interval})": (
        "{count} von {of} Ausschussteilen, die Menschen angesehen haben ({interval})"
    ),
    "{first} to {last}": "{first} bis {last}",
    "{interval}; {audited} audited passes": "{interval}; {audited} auditierte Gutteile",
    "{low} to {high}": "{low} bis {high}",
    "{more} shorter ones": "{more} kürzere",
    "{name}: {share} not passed": "{name}: {share} nicht gut",
    "{passed} passed, {fault} could not be judged": "{passed} gut, {fault} nicht beurteilbar",
    "{points} periods with parts: a control chart needs at least {least}. Choose a longer time or shorter periods.": (
        "{points} Abschnitte mit Teilen: eine Regelkarte braucht mindestens {least}. Wählen Sie eine längere Zeit"
        " oder kürzere Abschnitte."
    ),
    "{share} of those judged ({interval})": "{share} der beurteilten ({interval})",
    "{system} with the system, {manual} by hand": "{system} mit dem System, {manual} von Hand",
    "{time} in all": "{time} insgesamt",
    "{when}: {what} (rule {rule} of Nelson). It often means: {hint}.": (
        "{when}: {what} (Regel {rule} nach Nelson). Es heißt oft: {hint}."
    ),
    "95 % interval: {interval}": "95-%-Intervall: {interval}",
    "others": "übrige",
}
