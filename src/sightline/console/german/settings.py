"""What the server's settings mean; service/settings.py says it."""

TEXTS = {
    "Address to listen at; 0.0.0.0 for all": "Adresse, an der er hört; 0.0.0.0 für alle",
    "TCP port; 0 takes a free one": "TCP-Port; 0 nimmt einen freien",
    "Names with a dot by which the server is called; others are refused": (
        "Namen mit Punkt, unter denen der Server gerufen wird; andere werden abgelehnt"
    ),
    "PEM file with the certificate and its chain: then TLS only": "PEM-Datei mit Zertifikat und Kette: dann nur TLS",
    "PEM file with its private key": "PEM-Datei mit dem privaten Schlüssel",
    "Addresses of proxies whose X-Forwarded-For and -Proto are believed": (
        "Adressen der Proxys, deren X-Forwarded-For und -Proto geglaubt wird"
    ),
    "Connections at once; further ones get 503": "Verbindungen zugleich; weitere bekommen 503",
    "Of a request, in megabytes": "Einer Anfrage, in Megabyte",
    "Of an uploaded model or archive, in megabytes": ("Eines hochgeladenen Modells oder Archivs, in Megabyte"),
    "Until an answer begins": "Bis eine Antwort beginnt",
    "What requests in hand have when the server is told to stop": (
        "Was laufenden Anfragen bleibt, wenn der Server enden soll"
    ),
    "Folder for all that is kept, but for what the other keys put elsewhere": (
        "Ordner für alles, was bleibt, außer was die anderen Schlüssel woandershin legen"
    ),
    "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME; empty: plant.db in the folder": (
        "sqlite:///DATEI oder postgresql+psycopg://NAME:PASSWORT@RECHNER/NAME; leer: plant.db im Ordner"
    ),
    "Folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX; empty: in the folder": (
        "Ordner, s3://BUCKET/PREFIX oder gs://BUCKET/PREFIX; leer: im Ordner"
    ),
    "The same, for pictures that are seldom looked at; empty: with the others": (
        "Dasselbe, für selten angesehene Bilder; leer: bei den anderen"
    ),
    "The same, for those kept because they must be; empty: with the others": (
        "Dasselbe, für solche, die aufbewahrt werden müssen; leer: bei den anderen"
    ),
    "TOML file with how long pictures are kept; docs/pictures.md": (
        "TOML-Datei mit den Fristen der Bilder; docs/pictures.md"
    ),
    "Folder or bucket of the models; empty: in the folder": "Ordner oder Bucket der Modelle; leer: im Ordner",
    "After which a login ends that is not used": "Nach denen eine unbenutzte Anmeldung endet",
    "After which a login ends in any case": "Nach denen eine Anmeldung auf jeden Fall endet",
    "For which a set-up link holds": "So lange gilt ein Einrichtungslink",
    "Of one account's password from one address within five minutes": (
        "Des Passworts eines Kontos von einer Adresse in fünf Minuten"
    ),
    "Promotions, thresholds and recipes ask for the password again": (
        "Freigaben, Schwellen und Rezepte fragen noch einmal nach dem Passwort"
    ),
    "And for that of a second person; takes signature": "Und nach dem einer zweiten Person; braucht signature",
    "/metrics asks for no key": "/metrics fragt nach keinem Schlüssel",
    "Pictures judged at the same time; 0: one for each core": "Bilder, die zugleich beurteilt werden; 0: eines je Kern",
    "Pictures that may wait; further ones get 429": "Bilder, die warten dürfen; weitere bekommen 429",
    "Pictures are looked at in processes of their own: a crash ends one request only": (
        "Bilder werden in eigenen Prozessen angesehen: ein Absturz beendet nur eine Anfrage"
    ),
    "Within which a picture is judged or refused": "Binnen der ein Bild beurteilt oder abgelehnt wird",
    "Of a picture; a larger one is refused before it is decoded": (
        "Eines Bildes; ein größeres wird abgelehnt, ehe es gelesen wird"
    ),
    "NAME=FOLDER: what Lookout's clients reach as s3://NAME": (
        "NAME=ORDNER: was Lookouts Clients als s3://NAME erreichen"
    ),
    "Jobs at the same time; 0: this server runs none": "Aufträge zugleich; 0: dieser Server führt keine aus",
    "Folder with the pictures to learn from; empty: data in the folder": (
        "Ordner mit den Bildern zum Lernen; leer: data im Ordner"
    ),
    "Private networks it may reach, say 10.1.0.0/16; public ones it may": (
        "Private Netze, die er erreichen darf, etwa 10.1.0.0/16; öffentliche darf er"
    ),
    "Of the plant, say Europe/Berlin": "Des Werks, etwa Europe/Berlin",
    "When they begin, by the plant's clock": "Wann sie beginnen, nach der Uhr des Werks",
    "A station without parts for longer stood still": "Eine Station, die länger ohne Teile ist, stand still",
    "Of the prices; empty: money is not reckoned": "Der Preise; leer: Geld wird nicht gerechnet",
    "Of a bad part that reaches the customer": "Eines Schlechtteils, das zum Kunden kommt",
    "Of a good part that is rejected": "Eines Gutteils, das Ausschuss wird",
    "Of a part that somebody looks at on a screen": "Eines Teils, das jemand am Bildschirm ansieht",
    "Of a part that somebody inspects": "Eines Teils, das jemand prüft",
    "Share of bad parts that people find without it": "Anteil der Schlechtteile, den Menschen ohne ihn finden",
    "Share of good parts that they reject": "Anteil der Gutteile, den sie zum Ausschuss geben",
    "Its folder media/upload; empty: uploaded pictures cannot be read": (
        "Sein Ordner media/upload; leer: hochgeladene Bilder sind nicht lesbar"
    ),
    "Its LOCAL_FILES_DOCUMENT_ROOT; empty: local files cannot be read": (
        "Sein LOCAL_FILES_DOCUMENT_ROOT; leer: lokale Dateien sind nicht lesbar"
    ),
    "Annotations after which it learns; 0: when asked": "Beschriftungen, nach denen es lernt; 0: auf Wunsch",
}
