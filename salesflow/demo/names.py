"""People, companies, addresses and numbers that do not exist.

E-mail addresses are below example.com (RFC 2606). Phone numbers are of ranges kept free for
fiction: 555-0100 to 555-0199 in North America (NANPA), 020 7946 0xxx in London (Ofcom), and the
“Drama-Nummern” of Berlin, Hamburg, Cologne, Frankfurt and Munich (Bundesnetzagentur).
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from channels.transports.sandbox import RULE

Language = Literal["de", "en"]


def listed(words: str) -> list[str]:
    """The words of a text: shorter to read than a list of quoted names."""
    return words.split()


FIRST_NAMES: dict[Language, dict[str, list[str]]] = {
    "de": {
        "Frau": listed(
            "Anna Katrin Sabine Julia Lena Miriam Petra Ulrike Claudia Heike Nicole Franziska "
            "Birgit Johanna Silke Carolin Monika Greta Ayşe Elif Martina Vera Theresa Ines"
        ),
        "Herr": listed(
            "Thomas Michael Stefan Jürgen Markus Andreas Tobias Florian Matthias Bernd Holger "
            "Jan Sebastian Dirk Rüdiger Uwe Maximilian Mehmet Emre Felix Lukas Götz Björn Henrik"
        ),
    },
    "en": {
        "Ms": listed(
            "Emma Olivia Grace Hannah Charlotte Sophie Amelia Priya Aisha Chloe Megan Rebecca "
            "Siobhan Laura Natalie Fiona Zoe Isabel Harriet Alice"
        ),
        "Mr": listed(
            "James Oliver William Daniel Thomas Samuel Ethan Liam Connor Ravi Marcus Adrian "
            "Callum Henry George Owen Patrick Nathan Simon Hugh"
        ),
    },
}

LAST_NAMES: dict[Language, list[str]] = {
    "de": listed(
        "Müller Schröder Huber Lindner Krüger Brandt Vogel Winkler Jäger Böhm Seidel Kaiser Falk "
        "Reuter Hartmann Zimmermann Köhler Lange Schubert Engel Pfeiffer Roth Sommer Haas Busch "
        "Bergmann Voigt Wolff Ziegler Kern Yılmaz Demir Nowak Petersen Hansen Möller Strauß "
        "Gruber Maier Albrecht Wenzel Thiel Ebert Kuhn Horn"
    ),
    "en": listed(
        "Harper Whitfield Bennett Clarke Morgan Hughes Patel Sharma Walsh Byrne Murphy Fletcher "
        "Barnes Chapman Dawson Ellis Foster Gibson Hayes Jennings Lawson Marsh Norris Osborne "
        "Pearson Reid Sutton Turner Vaughan Webster Abbott Brooks Carver Dalton Everett"
    ),
}

GERMAN_TRADES = [
    "Metallbau", "Autohaus", "Möbelhaus", "Weingut", "Bäckerei", "Spedition", "Brauerei",
    "Gartenbau", "Kunststofftechnik", "Holzbau", "Kühlhaus", "Druckerei", "Elektrotechnik",
    "Maschinenbau", "Textil", "Molkerei", "Logistik", "Baustoffe", "Sanitär", "Hotel",
]  # fmt: skip
TRADES_BEFORE_NAMES = {"Autohaus", "Möbelhaus", "Weingut", "Bäckerei", "Brauerei", "Hotel"}
GERMAN_FORMS = ["GmbH", "GmbH & Co. KG", "KG", "AG", "e. K."]
ENGLISH_TRADES = [
    "Logistics", "Dairy Farms", "Joinery", "Cold Storage", "Garden Centres", "Bakeries",
    "Packaging", "Precision Engineering", "Brewing Company", "Hotels", "Print Works",
    "Building Supplies", "Motors", "Plastics", "Nurseries", "Textiles", "Warehousing",
]  # fmt: skip
ENGLISH_FORMS = ["Ltd", "Limited", "& Sons", "Group", "PLC"]

TITLES: dict[Language, list[str]] = {
    "de": ["Geschäftsführung", "Leitung Technik", "Einkauf", "Facility Management",
           "Inhaber", "Leitung Energie", "Prokurist", "Werksleitung"],
    "en": ["Managing Director", "Facilities Manager", "Head of Procurement", "Owner",
           "Operations Director", "Sustainability Lead", "Site Manager", "Finance Director"],
}  # fmt: skip

CITIES: dict[Language, list[str]] = {
    "de": ["Hamburg", "Kiel", "Lübeck", "Rostock", "Bremen", "Berlin", "Hannover", "Flensburg",
           "Köln", "Münster", "Leipzig", "München", "Frankfurt", "Oldenburg", "Schwerin"],
    "en": ["London", "Bristol", "Leeds", "Manchester", "Norwich", "Dublin", "Cork", "Edinburgh",
           "Boston", "Chicago", "Denver", "Portland"],
}  # fmt: skip

GERMAN_LANDLINES = ["+493023125", "+494066969", "+492214710", "+496990009", "+498999998"]
AMERICAN_AREAS = ["202", "212", "303", "312", "415", "503", "617", "713"]

# The sandbox refuses numbers with these.
TROUBLE_ENDINGS = tuple(ending for _prefix, ending, _trouble in RULE)

ASCII = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ş": "s", "ı": "i", "&": "", ".": "", " ": "-"}
)


@dataclass(frozen=True)
class Person:
    """Somebody who might buy.

    Attributes:
        salutation: "Frau", "Herr", "Ms" or "Mr".
        email: below example.com, in lower case.
        phone: in E.164.
    """

    language: Language
    salutation: str
    first: str
    last: str
    title: str
    company: str
    city: str
    email: str
    phone: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


class Directory:
    """Makes people up, none of them twice.

    Args:
        random: decides; the same seed makes the same people.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._names: set[tuple[str, str]] = set()
        self._phones: set[str] = set()

    def person(
        self, *, language: Language | None = None, mailbox: str = "", ending: str = ""
    ) -> Person:
        """Somebody new.

        Args:
            mailbox: what the e-mail address starts with.
            ending: what the phone number ends in, four digits; each language has one number a
                ending.
        """
        language = language or ("de" if self._random.random() < 0.58 else "en")
        salutation, first, last = self._name(language)
        company = self._company(language)
        local = _slug(f"{first}.{last}", keep=".")
        domain = _slug(" ".join(company.split()[:2]))
        return Person(
            language=language,
            salutation=salutation,
            first=first,
            last=last,
            title=self._random.choice(TITLES[language]),
            company=company,
            city=self._random.choice(CITIES[language]),
            email=f"{mailbox}{local}@{domain}.example.com",
            phone=self._phone(language, ending),
        )

    def _name(self, language: Language) -> tuple[str, str, str]:
        while True:
            salutation = self._random.choice(sorted(FIRST_NAMES[language]))
            first = self._random.choice(FIRST_NAMES[language][salutation])
            last = self._random.choice(LAST_NAMES[language])
            if (first, last) not in self._names:
                self._names.add((first, last))
                return salutation, first, last

    def _company(self, language: Language) -> str:
        owner = self._random.choice(LAST_NAMES[language])
        if language == "en":
            trade = self._random.choice(ENGLISH_TRADES)
            return f"{owner} {trade} {self._random.choice(ENGLISH_FORMS)}"
        trade = self._random.choice(GERMAN_TRADES)
        named = f"{trade} {owner}" if trade in TRADES_BEFORE_NAMES else f"{owner} {trade}"
        return f"{named} {self._random.choice(GERMAN_FORMS)}"

    def _phone(self, language: Language, ending: str) -> str:
        # The two ranges that have numbers with such an ending: London and Cologne.
        if ending:
            number = f"+44207946{ending}" if language == "en" else f"+49221471{ending}"
            self._phones.add(number)
            return number
        while True:
            number = self._any_phone(language)
            if number not in self._phones and not number.endswith(TROUBLE_ENDINGS):
                self._phones.add(number)
                return number

    def _any_phone(self, language: Language) -> str:
        if language == "de":
            return f"{self._random.choice(GERMAN_LANDLINES)}{self._random.randrange(1000):03}"
        if self._random.random() < 0.5:
            return f"+442079460{self._random.randrange(1000):03}"
        area = self._random.choice(AMERICAN_AREAS)
        return f"+1{area}55501{self._random.randrange(100):02}"


def _slug(text: str, keep: str = "") -> str:
    """A name as it stands in an address."""
    table = {code: plain for code, plain in ASCII.items() if chr(code) not in keep}
    words = text.lower().translate(table).split("-")
    return "-".join(filter(None, words))
