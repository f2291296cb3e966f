"""What the server answers in English sentences: refusals, alerts, findings. A place in braces is whatever stands there.

Each is looked for as a whole, by evaluation/sentences.py, which says numbers and sentences within it in German too; a
place called `name` stays as it is. What is not here stays English: refusals that only programs see, and rare ones.
"""

from sightline.evaluation.german import alerts

TEXTS = {
    **alerts.SENTENCES,
    # alerts and their rules, webhooks, keys
    "{name} is {value}; give a number from {low} to {high}.": (
        "{name} ist {value}; geben Sie eine Zahl von {low} bis {high} an."
    ),
    "alert {count}: {name} has acknowledged it already.": "{name} hat die Meldung {count} schon bestätigt.",
    "alerts: there are {count} rules already. Remove one first.": (
        "Es gibt schon {count} Regeln. Entfernen Sie erst eine."
    ),
    "webhooks: there are {count} already. Remove one first.": (
        "Es gibt schon {count} Webhooks. Entfernen Sie erst einen."
    ),
    "key: would have expired already; give a later moment.": (
        "Der Schlüssel wäre schon abgelaufen; geben Sie eine spätere Zeit an."
    ),
    # who may what
    "{name} may not do this: the right to {right} is missing.": "{name} darf das nicht: das Recht {right} fehlt.",
    "{name} may not sign this: the right to {right} is missing.": (
        "{name} darf das nicht unterschreiben: das Recht {right} fehlt."
    ),
    "{name}: two people must sign, and this is the same one.": (
        "Zwei Personen müssen unterschreiben, und das ist dieselbe."
    ),
    "signature of {name}: the password is not right.": "Unterschrift von {name}: das Passwort stimmt nicht.",
    "login: name or password is wrong.": "Name oder Passwort ist falsch.",
    "login: too many tries; wait {minutes} minutes.": "Zu viele Versuche; warten Sie {minutes} Minuten.",
    "password: the old one is not right.": "Das alte Passwort stimmt nicht.",
    "password: has {count} characters; take {low} to {high}.": (
        "Das Passwort hat {count} Zeichen; nehmen Sie {low} bis {high}."
    ),
    "password: is one that others try first. Take several words that do not belong together.": (
        "Dieses Passwort probieren andere als erstes. Nehmen Sie mehrere Wörter, die nicht zusammengehören."
    ),
    "name: take 1 to {count} letters that can be seen, without blanks around them.": (
        "Name: nehmen Sie 1 bis {count} sichtbare Zeichen, ohne Leerzeichen am Rand."
    ),
    "user {name}: there is one already; take another name.": (
        "Ein Konto {name} gibt es schon; nehmen Sie einen anderen Namen."
    ),
    "user {name}: records know another one by this name; take another name.": (
        "Aufzeichnungen nennen jemand anderen {name}; nehmen Sie einen anderen Namen."
    ),
    "user {name}: is the last active administrator; make another one first.": (
        "{name} ist der letzte aktive Administrator; machen Sie erst einen anderen dazu."
    ),
    "set-up link: was used, is too old, or is none. Run `sightline serve setup-link`.": (
        "Der Einrichtungslink wurde benutzt, ist zu alt oder ist keiner. Rufen Sie `sightline serve setup-link` auf."
    ),
    # parts, reviews, escapes, holds
    "inspection {name}: is not known.": "Prüfung {name} ist nicht bekannt.",
    "inspection {name}: there is none.": "Eine Prüfung {name} gibt es nicht.",
    "inspection {name}: nothing of {who} stands that could be undone.": (
        "Prüfung {name}: von {who} steht nichts, was zurückgenommen werden könnte."
    ),
    "a part that passes has no defect; leave the label out, or reject it.": (
        "Ein Gutteil hat keinen Fehler; lassen Sie die Art weg, oder werten Sie es als Ausschuss."
    ),
    "an escape was found in the future; correct the time.": (
        "Der Fehlschlupf läge in der Zukunft; berichtigen Sie die Zeit."
    ),
    "an escape needs its product, or the inspection that passed it.": (
        "Ein Fehlschlupf braucht sein Produkt, oder die Prüfung, die ihn durchließ."
    ),
    "a hold needs a product and a reason.": "Eine Sperre braucht ein Produkt und einen Grund.",
    "hold {count}: was lifted already.": "Die Sperre {count} wurde schon aufgehoben.",
    "there is no picture {name}.": "Ein Bild {name} gibt es nicht.",
    "picture {name} was removed when its time was over.": "Bild {name} wurde nach Ablauf seiner Zeit gelöscht.",
    "too many large pictures are being opened; ask again shortly.": (
        "Gerade werden zu viele große Bilder geöffnet; versuchen Sie es gleich noch einmal."
    ),
    # models
    "model {name}: there is {what}.": "Modell {name}: {what}.",
    "model {name}: there is none.": "Ein Modell {name} gibt es nicht.",
    "model {name}: there is no version {count}.": "Modell {name}: eine Version {count} gibt es nicht.",
    "model {name}: there is no version before that could be current.": (
        "Modell {name}: davor gibt es keine Version, die aktuell sein könnte."
    ),
    "{name} {version} is current; promote another version first, or roll back.": (
        "{name} {version} ist aktuell; geben Sie erst eine andere Version frei, oder nehmen Sie sie zurück."
    ),
    "a reason is missing; say in a few words why the model changes.": (
        "Der Grund fehlt; sagen Sie in wenigen Worten, warum das Modell wechselt."
    ),
    "a reason is missing; say in a few words why the threshold changes.": (
        "Der Grund fehlt; sagen Sie in wenigen Worten, warum sich die Schwelle ändert."
    ),
    "a reason is missing; say in a few words why.": "Der Grund fehlt; sagen Sie in wenigen Worten, warum.",
    "name {name}: give up to 120 letters, digits and -_., a letter or digit first.": (
        "Name {name}: nehmen Sie bis zu 120 Buchstaben, Ziffern und -_., zuerst einen Buchstaben oder eine Ziffer."
    ),
    "{name} {version} decides by classes, each with a limit of its own; set them with `sightline calibrate --min-recall"
    " CLASS=SHARE`.": (
        "{name} {version} entscheidet nach Klassen, jede mit eigener Grenze; setzen Sie sie mit `sightline calibrate"
        " --min-recall CLASS=SHARE`."
    ),
    # thresholds that are to be proven
    "{count} examples of {name} cannot guarantee a recall of {share}. {needed}": (
        "{count} Beispiele von {name} können {share} nicht nachweisen. {needed}"
    ),
    "At least {count} examples, all caught, are needed to prove it.": (
        "Mindestens {count} Beispiele, alle erkannt, braucht der Nachweis."
    ),
    "No number of examples proves 100 %; ask for less.": (
        "Keine Zahl von Beispielen beweist 100 %; verlangen Sie weniger."
    ),
    "challenge: to prove {share} takes more than {count} parts; ask for less.": (
        "{share} nachzuweisen braucht mehr als {count} Teile; verlangen Sie weniger."
    ),
    # studies and times
    "study {name}: there is one of this name; choose another.": (
        "Eine Studie {name} gibt es schon; wählen Sie einen anderen Namen."
    ),
    "study {name}: there is none.": "Eine Studie {name} gibt es nicht.",
    "study {name}: is closed; make a new one.": "Die Studie {name} ist beendet; machen Sie eine neue.",
    "study {name}: is open, and whoever rates must stay blind. Close it first.": (
        "Die Studie {name} läuft noch, und wer urteilt, darf nichts sehen. Beenden Sie sie erst."
    ),
    "study {name}: {who} has rated item {count} in round {number}.": (
        "Studie {name}: {who} hat Teil {count} in Runde {number} schon beurteilt."
    ),
    "study {name}: an item is there twice; each must be judged for itself.": (
        "Studie {name}: ein Teil kommt zweimal vor; jedes muss für sich beurteilt werden."
    ),
    "study {name}: a challenge has bad items only; leave the good ones out.": (
        "Studie {name}: ein Prüfkörperlauf hat nur Schlechtteile; lassen Sie die guten weg."
    ),
    "study: give it a name.": "Geben Sie der Studie einen Namen.",
    "challenge: no challenge part was judged in that time.": "In dieser Zeit wurde kein Prüfkörper beurteilt.",
    "period: give a begin and an end after it, in seconds since 1970.": (
        "Geben Sie einen Beginn und ein Ende danach an."
    ),
    # jobs, data sets, labels
    "jobs: {count} are waiting already. Cancel some, or try again later.": (
        "Es warten schon {count} Aufträge. Brechen Sie einige ab, oder versuchen Sie es später."
    ),
    "job {name}: is {state} already.": "Der Auftrag {name} ist schon {state}.",
    "{what} {name}: does not exist; give its path below the server's folder.": (
        "{name} gibt es nicht; geben Sie den Pfad unter dem Ordner des Servers an."
    ),
    "{what} {name}: leads out of the server's folder; give a path below it.": (
        "{name} führt aus dem Ordner des Servers hinaus; geben Sie einen Pfad darunter an."
    ),
    "{name}: holds no pictures; give another folder.": "{name} enthält keine Bilder; nehmen Sie einen anderen Ordner.",
    "divide: give shares of 0 to 1 that sum to 1, and a seed of 0 or more.": (
        "Geben Sie Anteile von 0 bis 1 an, die zusammen 1 sind, und einen Startwert ab 0."
    ),
    "data set {name}: there is none.": "Einen Datensatz {name} gibt es nicht.",
    "data set {name} {version}: none of its pictures is labelled; label some.": (
        "Datensatz {name} {version}: kein Bild ist beschriftet; beschriften Sie einige."
    ),
    "{name}: is no ZIP file; pack the folder as ZIP.": "{name} ist keine ZIP-Datei; packen Sie den Ordner als ZIP.",
    "{name}: is cut short; pack or send it again.": "{name} ist unvollständig; packen oder senden Sie es noch einmal.",
    "label {name}: give 1 to 120 printable characters.": "Klasse {name}: nehmen Sie 1 bis 120 druckbare Zeichen.",
    "picture {name} has {count} labels; remove some first.": (
        "Bild {name} hat {count} Beschriftungen; entfernen Sie erst einige."
    ),
    # teaching
    "{count} examples are few; from {enough} on a class is found more reliably.": (
        "{count} Beispiele sind wenige; ab {enough} wird eine Klasse verlässlicher gefunden."
    ),
    "{name}: is more like {other} than like the other examples.": (
        "{name} ähnelt {other} mehr als den anderen Beispielen."
    ),
    "the class has no name; give one, such as bent_pin.": (
        "Die Klasse hat keinen Namen; geben Sie einen, etwa bent_pin."
    ),
    "the model knows {name} already; give the new class another name.": (
        "Das Modell kennt {name} schon; geben Sie der neuen Klasse einen anderen Namen."
    ),
    "{name}: is the same picture as {other}; give different examples.": (
        "{name} ist dasselbe Bild wie {other}; geben Sie verschiedene Beispiele."
    ),
    # what is found in a data set, and the cures
    "{pictures} in more than one split, so a test proves nothing": (
        "{pictures} in mehreren Teilen; ein Test beweist so nichts"
    ),
    "{pictures} in more than one split, nearly pixel for pixel": "{pictures} in mehreren Teilen, fast Pixel für Pixel",
    "{pictures} with different labels": "{pictures} mit verschiedenen Klassen",
    "{pictures} more than once in the same split": "{pictures} mehrfach im selben Teil",
    "{pictures} cannot be read": "{pictures}: nicht lesbar",
    "{count} different picture sizes": "{count} verschiedene Bildgrößen",
    "different pixel formats: {name}": "verschiedene Pixelformate: {name}",
    "only {pictures} for training": "nur {pictures} zum Lernen",
    "no good pictures for training; the labels are {name}": "keine guten Bilder zum Lernen; die Klassen sind {name}",
    "labels that differ only in spelling: {name}": "Klassen, die sich nur in der Schreibweise unterscheiden: {name}",
    "defects among the training pictures: {name}": "Fehler unter den Lernbildern: {name}",
    "remove those with the wrong one": "entfernen Sie die mit der falschen",
    "keep one of each": "behalten Sie von jedem eines",
    "replace or remove": "ersetzen oder entfernen",
    "use one camera setting; a model may learn the format instead of the part": (
        "nehmen Sie eine Kameraeinstellung; ein Modell könnte das Format statt des Teils lernen"
    ),
    "none needed if parts are cropped; else use one camera setting": (
        "bei ausgeschnittenen Teilen nichts; sonst nehmen Sie eine Kameraeinstellung"
    ),
    "use one of them": "nehmen Sie eine davon",
    "add some; with fewer than {count} no threshold can promise 5 % overkill": (
        "fügen Sie welche hinzu; mit weniger als {count} kann keine Schwelle 5 % Pseudofehler zusagen"
    ),
    "an anomaly model has no use for them there; in test they show how many are found": (
        "ein Anomaliemodell kann sie dort nicht brauchen; im Testteil zeigen sie, wie viele gefunden werden"
    ),
    "keep one of each, or divide anew with `sightline data split --keep-duplicates-together`": (
        "behalten Sie von jedem eines, oder teilen Sie neu auf"
    ),
    "if they are the same part, {cure}": "wenn es dasselbe Teil ist: {cure}",
}

PIECES = {  # of which sentences are put together
    **alerts.PIECES,
    "no current version": "es gibt keine aktuelle Version",
    "no version {count}": "eine Version {count} gibt es nicht",
    "{count} picture": "{count} Bild",
    "{count} pictures": "{count} Bilder",
    "{count} good picture": "{count} gutes Bild",
    "{count} good pictures": "{count} gute Bilder",
    "{count} picture occurs": "{count} Bild kommt vor",
    "{count} pictures occur": "{count} Bilder kommen vor",
}
