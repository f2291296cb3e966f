"""Data sets: the list, a version, labelling, teaching."""

TEXTS = {
    "A test on a picture that was trained on proves nothing. Divide this version anew: pictures that"
    " are one then stay in one split.": (
        "Ein Test mit einem Bild, mit dem trainiert wurde, beweist nichts. Teilen Sie diese Version neu"
        " auf: gleiche Bilder bleiben dann in einem Teil."
    ),
    "About the labels": "Zu den Klassen",
    "All of them, as JSON": "Alle, als JSON",
    "More ({number} left)": "Mehr (noch {number})",
    "Add": "Hinzufügen",
    "Any format that is known, told by its content: folders of classes, MVTec AD, YOLO, COCO and"
    " others.": "Jedes bekannte Format, erkannt am Inhalt: Ordner je Klasse, MVTec AD, YOLO, COCO und andere.",
    "Archive": "Archiv",
    "As it came: {label}": "Wie geliefert: {label}",
    "As the one before": "Wie das vorige",
    "At most 500 pictures at once; the others were left out. Pack more of them as a ZIP.": (
        "Höchstens 500 Bilder auf einmal; die anderen wurden weggelassen. Packen Sie mehr davon als ZIP."
    ),
    "Both have the same pictures with the same labels.": "Beide haben dieselben Bilder mit denselben Klassen.",
    "Cancel": "Abbrechen",
    "Carries": "Enthält",
    "Change it": "Ändern",
    "Changes": "Änderungen",
    "Check of the data": "Prüfung der Daten",
    "Check and divide": "Prüfen und aufteilen",
    "Check this version": "Diese Version prüfen",
    "Checking": "Daten werden geprüft",
    "Choose a ZIP archive": "ZIP-Archiv auswählen",
    "Class": "Klasse",
    "Classes": "Klassen",
    "Compare and promote it": "Vergleichen und freigeben",
    "Compared with version": "Verglichen mit Version",
    "Copy the labels of the previous picture (C)": "Kennzeichnungen des vorigen Bildes übernehmen (C)",
    "Count them": "Zählen",
    "Divide": "Aufteilen",
    "Divide anew": "Neu aufteilen",
    "Dividing": "Daten werden aufgeteilt",
    "Download {title}": "{title} herunterladen",
    "Each class in the same shares, at random; pictures that are one stay together. A new version.": (
        "Jede Klasse zu gleichen Anteilen, zufällig; gleiche Bilder bleiben beisammen. Es entsteht eine neue Version."
    ),
    "Export": "Export",
    "Export it all the same, and leave this out": "Trotzdem exportieren und dies weglassen",
    "For": "Für",
    "Format": "Format",
    "From 5 to 10 pictures a model that gives names learns one class more, in seconds, without being"
    " trained again; what it knew stays as it was.": (
        "Aus 5 bis 10 Bildern lernt ein Modell, das Fehler benennt, in Sekunden eine weitere Klasse,"
        " ohne neu trainiert zu werden; was es wusste, bleibt."
    ),
    "Good": "Gut",
    "Import": "Importieren",
    "Importing": "Import läuft",
    "It can: reject parts by the new name that are like the examples. It cannot: learn what good"
    " parts look like, or tell apart what the examples do not show. Train anew as soon as there are"
    " some dozens.": "Es kann: Teile, die den Beispielen gleichen, unter dem neuen Namen aussortieren. Es kann nicht:"
    " lernen, wie gute Teile aussehen, oder unterscheiden, was die Beispiele nicht zeigen."
    " Trainieren Sie neu, sobald es einige Dutzend sind.",
    "It was cancelled; nothing was changed.": "Abgebrochen; es wurde nichts geändert.",
    "Its classes: {classes}": "Seine Klassen: {classes}",
    "Keep the pictures of version {number} as well": "Die Bilder der Version {number} behalten",
    "Keys: 1 to 9 class, B box, P polygon, R brush, W whole picture, G good, C copy, Z undo, N next": (
        "Tasten: 1 bis 9 Klasse, B Rechteck, P Vieleck, R Pinsel, W ganzes Bild, G gut, C übernehmen, Z"
        " zurück, N nächstes"
    ),
    "It knows: {classes}": "Es kennt: {classes}",
    "Label pictures": "Bilder kennzeichnen",
    "Labelled": "Gekennzeichnet",
    "Labels": "Kennzeichnungen",
    "Letters, digits, - _ and . only, a letter or digit first.": (
        "Nur Buchstaben, Ziffern, - _ und . , zuerst ein Buchstabe oder eine Ziffer."
    ),
    "Make a version": "Version anlegen",
    "Making {title} …": "{title} wird erstellt …",
    "Model": "Modell",
    "More": "Mehr",
    "Name of the data set": "Name des Datensatzes",
    "Name of the new class": "Name der neuen Klasse",
    "New class": "Neue Klasse",
    "New data set": "Neuer Datensatz",
    "Next picture (N)": "Nächstes Bild (N)",
    "No picture is like that. Choose other filters, or add pictures.": (
        "Kein Bild entspricht dem. Wählen Sie andere Filter oder fügen Sie Bilder hinzu."
    ),
    "Not readable": "Nicht lesbar",
    "Note": "Anmerkung",
    "Nothing has been decided yet: parts are decided on the page Review.": (
        "Noch wurde nichts entschieden: das geschieht auf der Seite Nachsehen."
    ),
    "Nothing is wrong with it (G)": "Ohne Fehler (G)",
    "Nothing to complain about.": "Nichts zu beanstanden.",
    "Nothing was labelled since this version; it is as it was.": (
        "Seit dieser Version wurde nichts gekennzeichnet; sie bleibt, wie sie ist."
    ),
    "Nothing yet. Draw on the picture, or name the whole of it.": (
        "Noch nichts. Zeichnen Sie ins Bild oder benennen Sie das ganze."
    ),
    "Of another size than most": "Von anderer Größe als die meisten",
    "People who agree": "Einige Personen",
    "Pictures": "Bilder",
    "Pictures of inspected parts that people have decided, with what they said and drew.": (
        "Bilder geprüfter Teile, die entschieden sind, mit allem, was dazu gesagt und gezeichnet wurde."
    ),
    "Pictures that are one": "Gleiche Bilder",
    "Pictures that show the same: all good, or all one kind of defect. Others are added afterwards.": (
        "Bilder, die dasselbe zeigen: alle gut, oder alle ein Fehler. Andere kommen danach hinzu."
    ),
    "Previous picture (Shift N)": "Voriges Bild (Umschalt N)",
    "Product": "Produkt",
    "Reads every picture and looks for leaks between the splits, duplicates, damage and odd sizes.": (
        "Liest jedes Bild und sucht gleiche Bilder in mehreren Teilen, Dubletten, Schäden und abweichende Größen."
    ),
    "Remove": "Entfernen",
    "Reviewed parts": "Entschiedene Teile",
    "Save labels as a new version": "Kennzeichnungen als neue Version sichern",
    "Seed": "Startwert",
    "Sending …": "Wird gesendet …",
    "Split": "Aufteilung",
    "Take the last step back (Z)": "Letzten Schritt zurücknehmen (Z)",
    "Teach": "Lehren",
    "Teach a class": "Klasse lehren",
    "Teaching": "Das Modell lernt",
    "The picture before has no labels.": "Das vorige Bild hat keine Kennzeichnungen.",
    "The shares must add up to 100 %.": "Die Anteile müssen zusammen 100 % ergeben.",
    "The whole picture is of the chosen class (W)": "Das ganze Bild gehört zur gewählten Klasse (W)",
    "There are no data sets yet. Make the first one of an archive or of pictures.": (
        "Es gibt noch keine Datensätze. Legen Sie den ersten aus einem Archiv oder aus Bildern an."
    ),
    "There is no model yet. Train one that gives names first.": (
        "Es gibt noch kein Modell. Trainieren Sie zuerst eines, das Fehler benennt."
    ),
    "There is no picture in it: PNG, JPEG, BMP, TIFF or WebP are taken.": (
        "Darin ist kein Bild: angenommen werden PNG, JPEG, BMP, TIFF und WebP."
    ),
    "They show": "Sie zeigen",
    "This is no ZIP archive, or it is cut short. Pack the folder as ZIP again.": (
        "Das ist kein ZIP-Archiv, oder es ist abgeschnitten. Packen Sie den Ordner noch einmal als ZIP."
    ),
    "This is the only version. A new one is made of labels, or of more pictures.": (
        "Dies ist die einzige Version. Eine neue entsteht aus Kennzeichnungen oder weiteren Bildern."
    ),
    "This model gives no names, so none can be taught. Choose one with the method classifier.": (
        "Dieses Modell benennt keine Fehler und kann darum keine Klasse lernen. Wählen Sie eines mit dem"
        " Verfahren classifier."
    ),
    "This picture is not in this version.": "Dieses Bild ist nicht in dieser Version.",
    "This version was not checked yet.": "Diese Version wurde noch nicht geprüft.",
    "This was the first picture.": "Das war das erste Bild.",
    "This was the last picture.": "Das war das letzte Bild.",
    "Tiny pictures": "Winzige Bilder",
    "Undo": "Rückgängig",
    "Version": "Version",
    "Version {version} of {name} knows {label} from {examples} pictures. It is a candidate: nothing"
    " uses it before it is promoted.": (
        "Version {version} von {name} kennt {label} aus {examples} Bildern. Sie ist ein Kandidat: nichts"
        " verwendet sie, bevor sie freigegeben ist."
    ),
    "Views of this version": "Ansichten dieser Version",
    "Whole picture": "Ganzes Bild",
    "added": "hinzugekommen",
    "all": "alle",
    "and {number} more": "und {number} weitere",
    "box": "Rechteck",
    "boxes": "Rechtecke",
    "candidate": "Kandidat",
    "class changed": "Klasse geändert",
    "confidence": "Sicherheit",
    "current": "aktuell",
    "drawn": "gezeichnet",
    "drawn regions": "gezeichnete Stellen",
    "each region on its own": "jede Stelle für sich",
    "former": "früher",
    "good": "gut",
    "in several splits": "in mehreren Teilen",
    "labelled": "gekennzeichnet",
    "labels of regions": "Klassen von Stellen",
    "labels of version {number}": "Kennzeichnungen der Version {number}",
    "leaks between splits": "in mehreren Teilen zugleich",
    "mask": "Maske",
    "masks": "Masken",
    "more than once": "mehrfach",
    "nearly the same pixels": "fast dieselben Pixel",
    "no label": "ohne Klasse",
    "not divided": "nicht aufgeteilt",
    "not divided yet": "noch nicht aufgeteilt",
    "not known yet": "noch nicht bekannt",
    "not labelled yet": "noch nicht gekennzeichnet",
    "not readable": "nicht lesbar",
    "of another size than most": "von anderer Größe als die meisten",
    "one label for a picture": "eine Klasse je Bild",
    "or drop it here": "oder hier ablegen",
    "or drop them here": "oder hier ablegen",
    "outline": "Umriss",
    "outlines": "Umrisse",
    "pictures that nobody has looked at": "Bilder, die niemand angesehen hat",
    "removed": "entfernt",
    "same file": "dieselbe Datei",
    "same pixels": "dieselben Pixel",
    "several labels for a picture": "mehrere Klassen je Bild",
    "several outlines for one region": "mehrere Umrisse je Stelle",
    "split changed": "Aufteilung geändert",
    "test": "Test",
    "the server did not answer; send it again.": "der Server hat nicht geantwortet; senden Sie es noch einmal.",
    "tiny": "winzig",
    "train": "Training",
    "train, validation and test": "Training, Validierung und Test",
    "validation": "Validierung",
    "version {number}": "Version {number}",
    "whether a picture is good": "ob ein Bild gut ist",
    "whole picture": "ganzes Bild",
    "with different labels": "mit verschiedenen Klassen",
    "{number} chosen; {low} to {high} are best": "{number} gewählt; am besten sind {low} bis {high}",
    "{number} drawn": "{number} gezeichnet",
    "{number} pictures": "{number} Bilder",
    "{title} was saved.": "{title} wurde gespeichert.",
}
