"""The words by which names are told from other words, in English and German."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.casefold().split())


# Words with a capital that are nobody's name.
ACRONYMS = _set(
    "ai api b2b b2c ceo cfo coo crm cto cv csv dpa erp eu faq faqs fyi gdpr hr html id it kpi"
    " nda ok bic iban pdf ps poc po qa rfp rfq roi saas sla sms sso tba tbd uk un url usa us utc"
    " vat vip vpn asap btw ag agb av avv bzw dsgvo edv eur usd gbp chf gmbh ki kmu kw mfg mwst"
    " nr ust plz tel ggf inkl"
)
# Pronouns and the words that German letters write with a capital.
POLITE = _set(
    "i sie ihr ihre ihrem ihren ihrer ihres ihnen du dein deine deinem deinen deiner euch euer"
    " eure i'm i'd i'll i've i’m i’d i’ll i’ve"
)
# They begin sentences, in their thousands; a name that is one of them is found where it stands with
# a second one, a title or a greeting.
STARTERS = _set(
    "a about above absolutely according additionally after again ahead all already also although"
    " always an and another any anyway apologies are as ask at attached based because before below"
    " besides best between both but by call can certainly clearly congratulations contact could"
    " could currently dear delivery demo despite did do does doing don't due during each either"
    " else email even every everyone everything excellent feel finally first fine following for"
    " from further generally get give given glad good great had happy has have having he hello"
    " here hey hi hope hopefully how however i if in indeed instead is it it's just keep kindly"
    " last let let's like looking many may maybe meanwhile might more moreover most much my"
    " naturally nevertheless new next no none nor not nothing now of off offer okay on once one"
    " only onboarding open or order other otherwise our out over per perfect perhaps please plus"
    " possible price prices pricing probably product products quick quote rather re reach really"
    " regarding regards reply right sales same second see send service shall she shipping should"
    " since so some something soon sorry still such support sure team than thank thanks that"
    " that's the their then there therefore these they thing this those though through thus time"
    " to today together too trial two under unfortunately until up upon us usually very via was we"
    " we'd we'll we're we've welcome well were what whatever when whenever where whether which"
    " while who why will with within without would yes yet you you'd you'll you're you've your"
    " yours meeting contract invoice setup training users subject note attn contracts data details"
    " customer customers questions question re aber ab alle allerdings alles als also am an anbei"
    " andere auch auf aus außerdem bald bei beide bereits besonders bis bitte da dabei dadurch"
    " dafür dagegen daher damit danach danke dann daran darauf daraus darf darin darüber das dass"
    " davon dazu dazu dem den denn der derzeit des deshalb die dies diese diesem diesen dieser"
    " dieses doch dort durch ein eine einem einen einer eines einfach entweder er erst es etwa"
    " etwas falls ferner für ganz gegen gern gerne gibt gleich gut guten haben hallo hat heute"
    " hier hiermit hiervon ich im immer in ist ja je jede jeder jedes jedoch jetzt kann kein keine"
    " können könnten könnte leider liebe lieber los man mehr mein meine mit möchten möglich moin"
    " morgen nach natürlich neben nein nicht nichts noch nun nur ob oder ohne passt perfekt sehr"
    " seit selbst selbstverständlich sich sie sind so sobald sofern sogar solche sollte sollten"
    " somit sondern sonst sowie statt super teilen trotzdem über übrigens um und uns unser unsere"
    " unserem unseren unserer unseres unter viel viele vielen vielleicht vom von vor vorab wann"
    " war warum was weil weiter weitere weiterhin welche welcher welches wenn wer werden wie"
    " wieder wir wird wo wofür wohl womit wunderbar wünschen würde würden zu zudem zuerst zum"
    " zunächst zur zusätzlich zwar zwischen sehr geehrte geehrter geehrten freundliche"
    " freundlichen freuen melden schön schönen toll klar geben lassen sagen schicken rufen"
    " herzlichen besten"
)
# Nouns that stand beside others with a capital, in German and in titles.
NOUNS = _set(
    "anfang mitte ende termin angebot preis paket tarif lizenz lizenzen vertrag rechnung frage"
    " fragen rückfragen nachricht mail e-mail telefon anruf gespräch demo test testphase team"
    " kollege kollegin kollegen firma unternehmen kunde kundin kunden produkt produkte software"
    " lösung system version dank gruß grüße grüßen herr herrn frau damen herren tag woche monat"
    " jahr uhr prozent euro rabatt nutzer benutzer arbeitsplätze stück euro mitarbeiter interesse"
    " hilfe rückruf unterlagen details informationen information anfrage lieferung lieferzeit"
    " laufzeit support vertrieb service abend mittag vormittag nachmittag wochenende januar"
    " februar märz april mai juni juli august september oktober november dezember montag dienstag"
    " mittwoch donnerstag freitag samstag sonntag january february march may june july october"
    " december monday tuesday wednesday thursday friday saturday sunday english german deutsch"
    " englisch europe european europa internet web website mr mrs ms dr sir"
    " madam ladies gentlemen team all everyone there zusammen online christmas easter"
    " weihnachten ostern company corp inc ltd"
)
# Names that are words of nothing else, commonly given in English- and German-speaking countries.
FIRST_NAMES = _set(
    "aaron adam ahmed alexander alexandra ali alice amanda amelia amy andrea andreas andrew"
    " angela anja anna anne anthony antonia ashley ayşe barbara bastian ben benjamin bernd birgit"
    " bob brandon brian britta bruno carla carol carolin caroline catherine charles charlotte"
    " chris christian christina christine christoph christopher claire clara claudia cornelia"
    " daniel daniela david deborah dennis diana dieter dirk dominik donald donna dorothea edward"
    " elena elias elisabeth elizabeth ella emil emily emma eric erik eva fabian fatima felix"
    " ferdinand finn florian frank franz franziska friedrich gabriel gabriele gary george gerd"
    " gerhard gisela günter hannah hans harald heather heike heinz helen helena helga helmut henry"
    " holger ingo ingrid isabella jack jacob jakob james jan jana jane janet janine jason jean"
    " jeff jeffrey jennifer jens jessica joachim joan joe johanna john johannes jonas jonathan"
    " jörg josef joseph joshua juan judith julia julian julie jürgen jutta kai karen karin karl"
    " karsten katharina katherine kathleen kathrin katja katrin kay kelly ken kenneth kerstin"
    " kevin kim kimberly klaus konrad kurt kyle lara larry lars laura lea lena leon leonie leo"
    " linda lisa lothar louis luca lucas lucy luisa lukas maja manfred manuel manuela marcel marco"
    " marcus margaret maria marie marina mario marion markus marlene martha martin martina mary"
    " mathias matteo matthew matthias max maximilian melanie melissa mia michael michaela michelle"
    " mike mohammed monika moritz nadine nancy natalie nathan niklas nicholas nico nicola nicole"
    " nils nina noah norbert olaf oliver olivia oscar patricia patrick paul paula peter petra"
    " philip philipp pia rachel rainer ralf ralph raymond rebecca regina renate richard rita"
    " robert roland rolf ronald ruth ryan sabine sabrina samantha samuel sandra sara sarah scott"
    " sebastian sharon silke silvia simon simone sofia sofie sonja sophia sophie stefan stefanie"
    " stephan stephanie stephen steve steven susan susanne sven svenja sylvia tanja teresa theo"
    " theodor theresa thomas thorsten tim timo timothy tina tobias tom torsten tracy tyler udo"
    " ulrich ulrike ursula uta uwe valentin vanessa vera verena veronika victor victoria viktor"
    " vincent volker walter werner wilhelm william wolfgang yasmin yusuf zoe"
)
TITLES = _set("mr mrs ms miss mister dr prof herr herrn frau fräulein sir madame")
LEGAL_FORMS = _set(
    "gmbh ag se ug kg ohg gbr ltd limited llc llp inc corp plc bv nv sarl sas spa oy ab"
)
PARTICLES = _set("von van der den de zu zur vom di da del la le el al bin ibn ter ten y und & and")
# What people and companies do: the word with a capital before it, at a sentence's beginning, acts.
ACTING = _set(
    "will would can could is was has had offers offered provides says said calls called asks"
    " asked mentioned told recommends uses used joined confirmed wants wrote works leads manages"
    " sent sends promised agreed paid pays and wird würde kann könnte ist war hat hatte bietet bot"
    " sagt sagte meldet meldete ruft rief fragt fragte erwähnte empfiehlt nutzt nutzte bestätigt"
    " bestätigte möchte schrieb schreibt arbeitet leitet schickt schickte versprach zahlt zahlte"
    " und"
)
# A word that ends like these is a thing.
THINGS = (
    "ing", "ly", "ed", "tion", "sion", "ment", "ness", "ity", "ance", "ence", "ery", "ship", "ies",
    "ung", "ungen", "heit", "keit", "schaft", "tät", "nis", "tum", "ion", "ionen", "isch", "bar",
)  # fmt: skip
GERMAN = _set(
    "der die das und ist nicht wir sie ihr ihre ihnen ich mit für auf ein eine einen zu zum zur"
    " den dem von bei im am es gerne bitte danke haben hat kann können wird werden auch wie uns"
    " unser unsere"
)
ENGLISH = _set(
    "the and is not we you your our i with for on a an to of at in it please thanks have has can"
    " will be are this that also how us from would"
)
