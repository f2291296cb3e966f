"""The pages Studies, New study, one study and rating it."""

TEXTS = {
    "90 days": "90 Tage",
    "365 days": "365 Tage",
    "Acceptance sampling plan": "Annahmestichprobenplan",
    "Add this part": "Dieses Teil dazunehmen",
    "Against the standard": "Gegen den Standard",
    "Agreement": "Übereinstimmung",
    "Agreement studies": "Übereinstimmungsstudien",
    "All judged every part rightly.": "Alle haben jedes Teil richtig beurteilt.",
    "Appraiser": "Prüfer",
    "At the start of each shift put bad parts that you know through the station, as challenge parts.": (
        "Geben Sie zu Beginn jeder Schicht bekannte Schlechtteile durch die Station, als Prüfkörper."
    ),
    "Back to the study": "Zurück zur Studie",
    "Bad": "Schlecht",
    "Bad parts found": "Gefundene Schlechtteile",
    "Bad parts that are shown to the line on purpose prove how many it finds: the least number with which so"
    " few misses would be too much luck, if the recall were lower (exact, Clopper and Pearson 1934).": (
        "Schlechtteile, die man der Linie mit Absicht zeigt, beweisen, wie viele sie findet: die kleinste Anzahl,"
        " bei der so wenige übersehene zu viel Glück wären, wäre die Erkennungsrate geringer (exakt, Clopper und"
        " Pearson 1934)."
    ),
    "Between Ac and Re the lot is accepted, and normal inspection resumes with the next.": (
        "Zwischen Ac und Re wird das Los angenommen, und mit dem nächsten gilt wieder normale Prüfung."
    ),
    "Between each other": "Untereinander",
    "By": "Von",
    "Challenge parts": "Prüfkörper",
    "Challenge run": "Prüfkörperlauf",
    "Challenge runs by station and day": "Prüfkörperläufe nach Station und Tag",
    "Close the study": "Studie schließen",
    "Close the study?": "Studie schließen?",
    "Code letter": "Kennbuchstabe",
    "Confidence, %": "Vertrauen, %",
    "Day": "Tag",
    "Details": "Einzelheiten",
    "Draw at random": "Zufällig ziehen",
    "Draw parts at random, or add some by their serial number.": (
        "Ziehen Sie Teile zufällig, oder nehmen Sie welche nach ihrer Seriennummer dazu."
    ),
    "Effectiveness": "Wirksamkeit",
    "Effectiveness: parts judged rightly in all rounds. Miss rate: decisions that passed a bad part. False"
    " alarm rate: decisions that rejected a good one. Kappa: agreement with the truth beyond chance, 1 at"
    " best. In brackets the 95 % interval: with few parts it is wide, and the standing is not certain.": (
        "Wirksamkeit: Teile, die in allen Runden richtig beurteilt wurden. Übersehrate: Entscheidungen, die ein"
        " schlechtes Teil durchließen. Fehlalarmrate: Entscheidungen, die ein gutes verwarfen. Kappa:"
        " Übereinstimmung mit der Wahrheit über den Zufall hinaus, höchstens 1. In Klammern das 95-%-Intervall:"
        " bei wenigen Teilen ist es weit und die Einstufung nicht sicher."
    ),
    "False alarm rate": "Fehlalarmrate",
    "Found": "Gefunden",
    "Go on rating": "Weiter beurteilen",
    "Good": "Gut",
    "Holds for the kinds of defect that were shown, and for no others. What the views judged counts: a part"
    " that could not be judged counts as neither found nor missed.": (
        "Gilt für die gezeigten Fehlerarten und für keine anderen. Es zählt, was die Ansichten urteilten: ein"
        " nicht beurteilbares Teil zählt weder als gefunden noch als übersehen."
    ),
    "How many parts of a lot to look at, and how many bad ones to allow: single sampling by ISO 2859-1. AQL is"
    " the share of bad parts, in percent, that is still accepted most of the time. Begin with level II and"
    " normal inspection; the standard says when to change over.": (
        "Wie viele Teile eines Loses anzusehen und wie viele schlechte zu erlauben sind: Einfachstichprobe nach"
        " ISO 2859-1. AQL ist der Anteil schlechter Teile in Prozent, der meist noch angenommen wird. Beginnen Sie"
        " mit Niveau II und normaler Prüfung; die Norm sagt, wann zu wechseln ist."
    ),
    "How many parts to show": "Wie viele Teile zu zeigen sind",
    "How probably the plan accepts a lot, by how bad it is. Producer's risk: 5 % of lots as good as the one"
    " point are refused. Consumer's risk: 10 % of lots as bad as the other point are accepted all the same.": (
        "Wie wahrscheinlich der Plan ein Los annimmt, je nachdem, wie schlecht es ist. Lieferantenrisiko: 5 % der"
        " Lose, die so gut sind wie der eine Punkt, werden zurückgewiesen. Abnehmerrisiko: 10 % der Lose, die so"
        " schlecht sind wie der andere, werden dennoch angenommen."
    ),
    "Inspection": "Prüfung",
    "Inspection level": "Prüfniveau",
    "Judge as you would at the line: a decision cannot be taken back, and a slip counts.": (
        "Urteilen Sie wie an der Linie: eine Entscheidung lässt sich nicht zurücknehmen, und ein Versehen zählt."
    ),
    "Kappa": "Kappa",
    "Kappa of each two (Cohen 1960) and of all together (Fleiss 1971), with its 95 % interval.": (
        "Kappa von je zweien (Cohen 1960) und von allen zusammen (Fleiss 1971), mit 95-%-Intervall."
    ),
    "Keep as a study": "Als Studie behalten",
    "Kind": "Art",
    "Kind of study": "Art der Studie",
    "Let it rate": "Urteilen lassen",
    "Limits of AIAG MSA, 4th edition: acceptable with effectiveness of at least 90 %, miss rate of at most 2 %"
    " and false alarm rate of at most 5 %; marginal with 80 %, 5 % and 10 %; kappa above 0.75 good, below 0.40"
    " poor.": (
        "Grenzen der AIAG MSA, 4. Ausgabe: annehmbar bei Wirksamkeit von mindestens 90 %, Übersehrate von"
        " höchstens 2 % und Fehlalarmrate von höchstens 5 %; bedingt bei 80 %, 5 % und 10 %; Kappa über 0,75 gut,"
        " unter 0,40 schlecht."
    ),
    "Look at {size} parts: accept the lot with at most {accept} bad ones, refuse it with {refuse} or more."
    " Lots with {producer} bad parts are accepted with 95 %, those with {consumer} with 10 %.": (
        "Sehen Sie {size} Teile an: nehmen Sie das Los mit höchstens {accept} schlechten an, weisen Sie es mit"
        " {refuse} oder mehr zurück. Lose mit {producer} schlechten Teilen werden mit 95 % angenommen, solche mit"
        " {consumer} mit 10 %."
    ),
    "Made": "Angelegt",
    "Make the study": "Studie anlegen",
    "Miss rate": "Übersehrate",
    "Missed": "Übersehen",
    "Misses allowed for": "Erlaubte übersehene",
    "Model": "Modell",
    "Name of the study": "Name der Studie",
    "New study": "Neue Studie",
    "No challenge part was shown.": "Es wurde kein Prüfkörper gezeigt.",
    "Normal": "Normal",
    "Not judged": "Nicht beurteilt",
    "Note": "Anmerkung",
    "Of parts from the line the verdict of that time counts already. A model can judge the same pictures again.": (
        "Von Teilen der Linie zählt schon das damalige Urteil. Ein Modell kann dieselben Bilder noch einmal beurteilen."
    ),
    "Older ones": "Ältere",
    "Operating characteristic": "Operationscharakteristik",
    "Part {place}": "Teil {place}",
    "Part {place} of {of}, round {round}": "Teil {place} von {of}, Runde {round}",
    "Part {serial}, view {view}": "Teil {serial}, Ansicht {view}",
    "Parts in the lot": "Teile im Los",
    "Parts that somebody judged wrongly in some round: look at them together, and agree on what is bad.": (
        "Teile, die jemand in einer Runde falsch beurteilt hat: sehen Sie sie gemeinsam an und einigen Sie sich,"
        " was schlecht ist."
    ),
    "Pass (P)": "Gut (P)",
    "Passes": "Gutteile",
    "Paused": "Pause",
    "People judge parts whose truth is known, blind, in a random order and more than once; the machine is held"
    " to the same truth. The result says how far each may be relied on (AIAG MSA, 4th edition, attribute"
    " agreement analysis).": (
        "Menschen beurteilen Teile, deren Wahrheit bekannt ist, blind, in zufälliger Reihenfolge und mehr als"
        " einmal; die Maschine wird an derselben Wahrheit gemessen. Das Ergebnis sagt, wie weit auf wen Verlass"
        " ist (AIAG MSA, 4. Ausgabe, attributive Prüfsystemanalyse)."
    ),
    "Rate, {left} to go": "Beurteilen, noch {left}",
    "Ratings": "Urteile",
    "Recall to prove, %": "Nachzuweisende Erkennungsrate, %",
    "Reduced": "Reduziert",
    "Reject (R)": "Ausschuss (R)",
    "Repeatability": "Wiederholbarkeit",
    "Rounds": "Runden",
    "Sampling plans": "Stichprobenpläne",
    "Say of at least one part what it is.": "Sagen Sie von mindestens einem Teil, was es ist.",
    "Say of each part what it truly is; those without an answer are left out.": (
        "Sagen Sie von jedem Teil, was es wirklich ist; die ohne Antwort bleiben weg."
    ),
    "Serial number": "Seriennummer",
    "Show {parts} bad parts: with at most {misses} missed they prove {recall} % with {confidence} % confidence.": (
        "Zeigen Sie {parts} Schlechtteile: mit höchstens {misses} übersehenen beweisen sie {recall} % mit"
        " {confidence} % Vertrauen."
    ),
    "Some thirty parts or more, a third to a half of them bad, and among them doubtful ones: clear cases"
    " flatter everybody. To show a miss rate of at most 2 % takes 149 decisions on bad parts without a miss.": (
        "Etwa dreißig Teile oder mehr, ein Drittel bis die Hälfte davon schlecht, und zweifelhafte darunter: klare"
        " Fälle schmeicheln jedem. Eine Übersehrate von höchstens 2 % zu zeigen braucht 149 Entscheidungen über"
        " schlechte Teile ohne Übersehen."
    ),
    "Standing": "Einstufung",
    "State": "Stand",
    "Study": "Studie",
    "The first {most} parts.": "Die ersten {most} Teile.",
    "The machine": "Die Maschine",
    "The part to judge": "Das Teil, das zu beurteilen ist",
    "The study is made.": "Die Studie ist angelegt.",
    "Then its result is shown, and nobody can rate any more. It cannot be opened again.": (
        "Dann wird ihr Ergebnis gezeigt, und niemand kann mehr urteilen. Sie lässt sich nicht wieder öffnen."
    ),
    "There are enough parts.": "Es sind genug Teile.",
    "There is no picture of a part with this serial number.": (
        "Es gibt kein Bild eines Teils mit dieser Seriennummer."
    ),
    "There is no study yet. Choose some good and some bad parts, and let people and the machine judge them.": (
        "Es gibt noch keine Studie. Wählen Sie einige gute und einige schlechte Teile, und lassen Sie Menschen und"
        " die Maschine urteilen."
    ),
    "Tightened": "Verschärft",
    "Truth": "Wahrheit",
    "What challenge parts proved": "Was Prüfkörper bewiesen haben",
    "What it proves": "Was es beweist",
    "What the first round on the bad parts proves, as if they had been challenge parts.": (
        "Was die erste Runde über die schlechten Teile beweist, als wären sie Prüfkörper gewesen."
    ),
    "Where they disagree with the truth": "Wo sie von der Wahrheit abweichen",
    "While the study is open nobody sees what others said. Whoever chose the parts knows what they are, and"
    " should not rate.": (
        "Solange die Studie offen ist, sieht niemand, was andere sagten. Wer die Teile gewählt hat, weiß, was sie"
        " sind, und sollte nicht urteilen."
    ),
    "Work out": "Ausrechnen",
    "You have judged every part. Thank you.": "Sie haben jedes Teil beurteilt. Vielen Dank.",
    "accept with at most so many bad ones": "annehmen mit höchstens so vielen schlechten",
    "acceptable": "annehmbar",
    "all said the same": "alle sagten dasselbe",
    "all together": "alle zusammen",
    "and were right": "und hatten recht",
    "bad": "schlecht",
    "bad parts in the lot": "schlechte Teile im Los",
    "bad: {label}": "schlecht: {label}",
    "closed": "geschlossen",
    "consumer's risk 10 %": "Abnehmerrisiko 10 %",
    "every part of the lot": "jedes Teil des Loses",
    "good": "gut",
    "lots accepted": "angenommene Lose",
    "marginal": "bedingt annehmbar",
    "not known": "nicht bekannt",
    "of the lot: {letter}": "des Loses: {letter}",
    "open": "offen",
    "parts to look at": "Teile anzusehen",
    "passed": "gut gegeben",
    "poor": "schlecht",
    "producer's risk 5 %": "Lieferantenrisiko 5 %",
    "refuse with so many or more": "zurückweisen mit so vielen oder mehr",
    "rejected": "verworfen",
    "unacceptable": "nicht annehmbar",
    "unknown": "nicht bekannt",
    "{at} of {of}": "{at} von {of}",
    "{found} of {shown} found: at least {recall} % with {confidence} confidence.": (
        "{found} von {shown} gefunden: mindestens {recall} % mit {confidence} Vertrauen."
    ),
    "{model} has judged every part.": "{model} hat jedes Teil beurteilt.",
    "{name} is {standing}; agreement with the truth is {grade} (kappa {kappa}).": (
        "{name} ist {standing}; die Übereinstimmung mit der Wahrheit ist {grade} (Kappa {kappa})."
    ),
    "{name}: {count} rated": "{name}: {count} beurteilt",
}
