"""The words that the rules know, in English and German. docs/capture.md shows them to people."""

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What a web form, a list or a card calls a field; a dot behind it is ignored.
LABELS = {
    "name": "name|full name|your name|contact|contact person|contact name|from|sender|"
    "ihr name|vor- und nachname|vor- und zuname|vollständiger name|"
    "ansprechpartner|ansprechpartnerin|ihr ansprechpartner|kontakt|kontaktperson|von|absender",
    "first_name": "first name|firstname|given name|vorname",
    "last_name": "last name|lastname|surname|family name|nachname|familienname|zuname",
    "company": "company|company name|organization|organisation|employer|business|"
    "firma|firmenname|unternehmen|ihre firma|ihr unternehmen|betrieb",
    "title": "title|job title|position|role|job|function|funktion|rolle|beruf|jobtitel|stelle",
    "email": "e-mail|email|mail|e-mail address|email address|your email|"
    "e-mail-adresse|e-mail adresse|emailadresse|mailadresse|ihre e-mail|ihre e-mail-adresse",
    "phone": "phone|phone number|telephone|tel|mobile|mobile phone|cell|your phone|"
    "telefon|telefonnummer|rufnummer|mobil|mobilnummer|handy|handynummer|mobiltelefon",
    "value": "budget|project budget|deal value|estimated value|"
    "projektbudget|budgetrahmen|auftragswert|auftragsvolumen|projektvolumen",
    # Labels that end the field before them and say nothing about the lead.
    "": "subject|message|comment|comments|address|street|city|country|zip|website|web|fax|date|"
    "betreff|nachricht|mitteilung|anfrage|bemerkung|anschrift|adresse|straße|strasse|ort|plz|"
    "land|webseite|internet|telefax|datum|anrede|salutation",
}
FIELD_OF_LABEL = {label: field for field, labels in LABELS.items() for label in labels.split("|")}
NOTHING_SAID = {"-", "–", "n/a", "none", "unknown", "keine", "keiner", "k.a.", "k. a.", "unbekannt"}

CLOSING = re.compile(
    r"(?:(?:with )?(?:best|kind|kindest|warm|warmest)(?: regards| wishes)?|regards|sincerely"
    r"|yours (?:sincerely|faithfully|truly)|sincerely yours|cheers|many thanks|thanks"
    r"(?: and (?:best |kind )?regards)?|thank you|all the best"
    r"|(?:mit )?(?:freundlich(?:en|e|em)|best(?:en|e)|viele(?:n)?|lieb(?:en|e)|herzlich(?:en|e)"
    r"|schön(?:en|e)) (?:grüßen|grüßen?|grüssen?|gruß|gruss)|mfg|vg|lg|gruß|gruss|grüße|grüsse"
    r"|besten dank|vielen dank|hochachtungsvoll)(?!\w)(?: (?:aus|from) (?:\w+ )?\w+$)?",
    re.IGNORECASE,
)

HONORIFIC = re.compile(
    r"(?:(?:mr|mrs|ms|miss|herrn?|frau|i\. ?a|i\. ?v|ppa)\b\.?\s*)+(?=\S)", re.IGNORECASE
)
PARTICLES = "von|van|der|den|de|zu|zur|vom|di|da|del|la|le|el|al|bin|ibn|ter|ten|y"
# Words with a capital that begin a sentence or a greeting, not a name.
NO_NAME = _set(
    "hi hello dear hey good morning afternoon thanks thank regards best kind yours sent from the"
    " we our you your this that please and team sales support service phone mobile email mail fax"
    " call request inquiry new contact customer website message subject office "
    "hallo liebe lieber guten tag moin servus sehr geehrte geehrter geehrten danke vielen dank"
    " mit freundlichen grüße grüßen gesendet wir ich sie ihr unser unsere das die bitte und"
    " vertrieb kundenservice telefon mobil anfrage angebot neue neuer kontakt kunde nachricht"
    " betreff büro geschäftsführung wie für über am im in bei"
)

# Words that make a line of a signature a job title.
JOB = re.compile(
    r"\b(?:c[etfmoi]o|cro|ciso|vp|svp|evp|chief|president|vice president|chair(?:man|woman)?"
    r"|(?:co-?)?founder|owner|director|head of|lead|manager|engineer|developer|architect"
    r"|consultant|analyst|buyer|purchaser|partner|assistant|officer|specialist|executive"
    r"|coordinator|administrator|accountant|procurement|sales representative"
    r"|\w*geschäftsführ(?:er|erin|ung)|\w*leit(?:er|erin|ung)|inhaber(?:in)?"
    r"|(?:mit)?gründer(?:in)?|vorstand|vorständin|prokurist(?:in)?|\w*einkauf|\w*einkäufer(?:in)?"
    r"|vertrieb|\w*berater(?:in)?|\w*ingenieur(?:in)?|\w*entwickler(?:in)?|\w*referent(?:in)?"
    r"|\w*assisten(?:t|tin|z)|\w*beauftragte[r]?|\w*architekt(?:in)?|disponent(?:in)?"
    r"|sachbearbeiter(?:in)?|\w*kaufmann|\w*kauffrau|meister(?:in)?)\b",
    re.IGNORECASE,
)

# Longer forms first: the first that fits is taken.
LEGAL_FORM = (
    r"(?:(?:gGmbH|GmbH|mbH|AG|SE|UG \(haftungsbeschränkt\)|UG)"
    r"(?: ?& ?Co\. ?(?:KGaA|KG|OHG))?|KGaA|KG|OHG|GbR|PartG(?: mbB)?|eG|e\. ?K\.|e\. ?V\."
    r"|Pty\.? Ltd\.?|Ltd\.?|Limited|LLC|L\.L\.C\.|LLP|Inc\.?|Incorporated|Corp\.?|Corporation"
    r"|PLC|plc|B\.V\.|BV|N\.V\.|S\.A\.|SAS|SARL|S\.r\.l\.|S\.p\.A\.|ApS|Oy|AB)"
)
# Words that stand before a company's name and are no part of it.
NO_COMPANY = _set(
    "the we our from at for with of by about company customer client lead re fw fwd request"
    " inquiry quote offer call meeting demo hello hi dear mr mrs ms i my and "
    "die der das den dem wir unsere unser von bei für mit aus firma unternehmen kunde aw wg"
    " anfrage angebot anruf termin hallo liebe sehr herr frau als ich und"
)

# Mail providers under any top-level domain (yahoo.fr, gmx.net), and single domains.
FREE_MAIL_PROVIDERS = _set(
    "aol gmail gmx googlemail hotmail icloud live msn outlook proton protonmail tuta tutanota"
    " yahoo yandex ymail rocketmail"
)
FREE_MAIL_DOMAINS = _set(
    "126.com 163.com 1und1.de aon.at arcor.de att.net bluewin.ch btinternet.com chello.at"
    " comcast.net email.de fastmail.com free.fr freenet.de hey.com hush.com kabelmail.de"
    " laposte.net libero.it mac.com mail.com mail.de mail.ru mailbox.org me.com o2online.de"
    " online.de orange.fr pm.me posteo.de qq.com sbcglobal.net sky.com t-online.de verizon.net"
    " virginmedia.com vodafone.de wanadoo.fr web.de zoho.com"
)
# Second levels under which companies register (engines.co.uk).
PUBLIC_SECOND_LEVELS = _set("ac co com edu gov gv ne net or org")

# Local parts of programs that nobody reads, and of desks where several people sit.
MACHINES = re.compile(
    r"(?:no|do-?not|dont)[-_.]?reply.*|mailer-daemon|postmaster|bounces?([-_.+].*)?"
    r"|notifications?|wordpress|webform",
)
DESKS = _set(
    "accounting admin anfrage anfragen bewerbung billing buchhaltung buero business contact"
    " customer desk einkauf empfang finance hallo hello help hr info invoice invoices it jobs"
    " kontakt kunden kundenservice mail marketing news newsletter office orders post presse press"
    " purchasing rechnung sales sekretariat service shop support team verkauf vertrieb web"
    " webmaster welcome zentrale care reply no not test"
)

BUDGET = re.compile(
    r"\b(?:\w*budget\w*|deal value|auftragswert|auftragsvolumen|projektvolumen"
    r"|investitionsvolumen|willing to spend|plan to spend)\b",
    re.IGNORECASE,
)
CURRENCIES = {
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "chf": "CHF",
    "$": "USD",
    "us$": "USD",
    "usd": "USD",
    "dollar": "USD",
    "dollars": "USD",
    "£": "GBP",
    "gbp": "GBP",
    "pounds": "GBP",
}
TIMES = {
    "k": 1000,
    "tsd": 1000,
    "tausend": 1000,
    "thousand": 1000,
    "m": 1_000_000,
    "mn": 1_000_000,
    "mio": 1_000_000,
    "million": 1_000_000,
    "millionen": 1_000_000,
}
