"""What people write to each other while a solar plant is being sold, in German and English."""

from random import Random

from salesflow.demo.names import Language, Person

Texts = dict[Language, list[str]]

SUBJECTS: dict[Language, str] = {
    "de": "Photovoltaik für {company}",
    "en": "Solar power for {company}",
}

# What the colleague writes, by the occasion.
INTRODUCTION: Texts = {
    "de": [
        "{hello},\n\nvielen Dank für Ihr Interesse an einer Photovoltaikanlage für {company}. "
        "Damit ich Ihnen eine erste Einschätzung geben kann: Wie groß ist die Dachfläche ungefähr, "
        "und wie hoch ist Ihr Jahresverbrauch?\n\nViele Grüße\n{rep}",
        "{hello},\n\nIhre Anfrage ist bei mir gelandet. Für Betriebe Ihrer Größe in {city} rechnen "
        "wir meist mit rund {kwp} kWp. Passt Ihnen diese Woche ein kurzes Telefonat?\n\n"
        "Beste Grüße\n{rep}",
    ],
    "en": [
        "{hello},\n\nthank you for your interest in a solar plant for {company}. To give you a "
        "first estimate: roughly how large is the roof, and what is your yearly consumption?\n\n"
        "Kind regards\n{rep}",
        "{hello},\n\nyour enquiry has landed on my desk. For sites of your size around {city} "
        "we usually plan about {kwp} kWp. Would a short call this week suit you?\n\n"
        "Best wishes\n{rep}",
    ],
}
SURVEY: Texts = {
    "de": [
        "{hello},\n\nprima, das klingt nach einem guten Dach. Unser Techniker kann nächste Woche "
        "zur Besichtigung nach {city} kommen. Dienstag oder Donnerstag?\n\nViele Grüße\n{rep}",
        "{hello},\n\ndanke für die Unterlagen. Ich habe die Belegung grob gerechnet: {kwp} kWp "
        "passen gut. Für das Angebot bräuchte ich noch den Lastgang.\n\nViele Grüße\n{rep}",
    ],
    "en": [
        "{hello},\n\ngreat, that sounds like a good roof. Our engineer could come to {city} for a "
        "site survey next week. Tuesday or Thursday?\n\nKind regards\n{rep}",
        "{hello},\n\nthank you for the documents. A first layout gives {kwp} kWp. For the proposal "
        "I still need your half-hourly meter data.\n\nKind regards\n{rep}",
    ],
}
PROPOSAL: Texts = {
    "de": [
        "{hello},\n\nanbei unser Angebot über {kwp} kWp zum Festpreis von {value} €, inklusive "
        "Montage und Netzanmeldung. Das Angebot gilt vier Wochen.\n\nViele Grüße\n{rep}",
    ],
    "en": [
        "{hello},\n\nplease find our proposal for {kwp} kWp at a fixed price of €{value}, "
        "including installation and grid connection. It is valid for four weeks.\n\n"
        "Kind regards\n{rep}",
    ],
}
NEGOTIATION: Texts = {
    "de": [
        "{hello},\n\nich habe mit der Geschäftsleitung gesprochen: Bei Auftrag bis Monatsende "
        "geben wir die Überwachung für zwei Jahre dazu.\n\nViele Grüße\n{rep}",
        "{hello},\n\ndie Wirtschaftlichkeitsrechnung ist angepasst: Amortisation nach gut acht "
        "Jahren, mit Speicher nach neun.\n\nViele Grüße\n{rep}",
    ],
    "en": [
        "{hello},\n\nI have spoken to our management: if you order by the end of the month, two "
        "years of monitoring are included.\n\nKind regards\n{rep}",
        "{hello},\n\nthe business case is updated: payback in just over eight years, nine with "
        "storage.\n\nKind regards\n{rep}",
    ],
}
THANKS: Texts = {
    "de": ["{hello},\n\nherzlichen Dank für den Auftrag! Unsere Projektleitung meldet sich morgen "
           "mit dem Zeitplan.\n\nViele Grüße\n{rep}"],
    "en": ["{hello},\n\nthank you very much for the order! Our project team will be in touch "
           "tomorrow with the schedule.\n\nKind regards\n{rep}"],
}  # fmt: skip
REMINDER: Texts = {
    "de": [
        "{hello},\n\nich wollte kurz nachfragen, ob Sie sich unsere Unterlagen ansehen konnten. "
        "Gerne beantworte ich offene Punkte am Telefon.\n\nViele Grüße\n{rep}",
        "{hello},\n\npasst das Thema Photovoltaik bei Ihnen gerade, oder soll ich mich im Frühjahr "
        "wieder melden?\n\nViele Grüße\n{rep}",
    ],
    "en": [
        "{hello},\n\njust checking whether you had a chance to look at our documents. Happy to "
        "answer questions on the phone.\n\nKind regards\n{rep}",
        "{hello},\n\nis solar still on your list right now, or shall I come back to you in "
        "spring?\n\nKind regards\n{rep}",
    ],
}
CHAT: Texts = {
    "de": [
        "Hallo {first}, hier ist {rep} von Nordlicht Solar. Passt Ihnen der Termin am Donnerstag "
        "um 10 Uhr?",
        "Kurze Info: Unser Techniker ist in etwa 20 Minuten bei Ihnen.",
        "Könnten Sie mir noch ein Foto vom Zählerschrank schicken? Danke!",
    ],
    "en": [
        "Hi {first}, this is {rep} from Nordlicht Solar. Does Thursday at 10 still work for you?",
        "Quick note: our engineer will be with you in about 20 minutes.",
        "Could you send me a photo of the meter cabinet? Thank you!",
    ],
}

# What the lead writes.
FIRST_ANSWER: Texts = {
    "de": [
        "Guten Tag,\n\ndas Dach hat etwa {roof} m², Südwest, wir verbrauchen viel tagsüber. Was "
        "brauchen Sie noch von uns?\n\n{first} {last}",
        "Hallo,\n\ngerne. Uns interessiert vor allem, ob sich ein Speicher lohnt. Am besten bin "
        "ich vormittags erreichbar.\n\nMfG {last}",
    ],
    "en": [
        "Hello,\n\nthe roof is about {roof} m², facing south-west, and most of our demand is "
        "during the day. What else do you need?\n\n{first}",
        "Hi,\n\nhappy to talk. We mainly want to know whether storage pays off. Mornings are "
        "best.\n\n{first} {last}",
    ],
}
DATE_AGREED: Texts = {
    "de": ["Dienstag passt uns gut, bitte vorher kurz anrufen.\n\n{first} {last}",
           "Der Lastgang ist im Anhang. Viele Grüße, {last}"],
    "en": ["Tuesday suits us, please ring before you come.\n\n{first}",
           "Meter data attached. Best, {first}"],
}  # fmt: skip
QUESTION: Texts = {
    "de": [
        "Danke für das Angebot. Wie sieht es mit der Statik aus, und ist beim Preis noch etwas "
        "möglich?\n\n{first} {last}",
        "Guten Tag,\n\nwir haben ein zweites Angebot, das etwas günstiger ist. Woran liegt das?\n\n"
        "{last}",
    ],
    "en": [
        "Thank you for the proposal. What about the structural survey, and is there any room on "
        "the price?\n\n{first}",
        "Hi,\n\nwe have a second quote that is slightly cheaper. What explains the "
        "difference?\n\n{first} {last}",
    ],
}
ORDER: Texts = {
    "de": ["Guten Tag,\n\nder unterschriebene Auftrag ist unterwegs. Wir freuen uns!\n\n{last}"],
    "en": ["Hello,\n\nthe signed order is on its way. Looking forward to it!\n\n{first}"],
}
REFUSAL: Texts = {
    "de": ["Guten Tag,\n\nwir haben uns anders entschieden. Danke für Ihre Mühe.\n\n{last}"],
    "en": ["Hello,\n\nwe have decided to go another way. Thank you for your effort.\n\n{first}"],
}
CHAT_ANSWER: Texts = {
    "de": [
        "Ja, passt!",
        "Alles klar, danke.",
        "Mache ich heute Nachmittag 👍",
        "Lieber um 11 Uhr?",
    ],
    "en": ["Yes, perfect!", "Got it, thanks.", "Will do this afternoon 👍", "Could we make it 11?"],
}

NOTES: Texts = {
    "de": [
        "Telefonat: Entscheidung fällt gemeinsam mit der Tochter, Budget für dieses Jahr ist da.",
        "Dach 2019 saniert, Statik liegt vor. Netzanschluss 100 kW.",
        "Möchte Ladepunkte für sechs Fahrzeuge mit anbieten lassen.",
        "Nicht erreicht, Mailbox. Nächster Versuch am Montag.",
        "Vergleicht mit einem Anbieter aus der Region, Preis ist das Hauptthema.",
        "Besichtigung war gut: wenig Verschattung, Wechselrichter im Keller möglich.",
    ],
    "en": [
        "Call: the board decides, budget for this year is approved.",
        "Roof renovated in 2019, structural report available. Grid connection 100 kW.",
        "Wants six charge points in the same proposal.",
        "No answer, left a voicemail. Next try on Monday.",
        "Compares us with a local installer, price is the main topic.",
        "Site survey went well: little shading, room for the inverter in the basement.",
    ],
}
LOST_REASONS: Texts = {
    "de": ["Kein Budget", "Anderer Anbieter", "Keine Antwort", "Dach nicht geeignet",
           "Auf nächstes Jahr verschoben"],
    "en": ["No budget", "Chose a competitor", "No answer", "Roof not suitable",
           "Postponed to next year"],
}  # fmt: skip


class Writer:
    """Picks a text and fills it in for one lead.

    Args:
        random: decides which text.
        rep: the colleague's name.
        facts: numbers that texts mention: `kwp`, `roof`, `value`.
    """

    def __init__(self, random: Random, person: Person, rep: str, facts: dict[str, str]) -> None:
        self._random = random
        self._language = person.language
        self.subject = SUBJECTS[person.language].format(company=person.company)
        self._words = {
            **facts,
            "hello": _greeting(person),
            "rep": rep,
            "first": person.first,
            "last": person.last,
            "company": person.company,
            "city": person.city,
        }

    def write(self, texts: Texts) -> str:
        """One of the texts in the lead's language."""
        return self._random.choice(texts[self._language]).format(**self._words)


def _greeting(person: Person) -> str:
    if person.language == "en":
        return f"Hi {person.first}"
    return f"Guten Tag {person.salutation} {person.last}"
