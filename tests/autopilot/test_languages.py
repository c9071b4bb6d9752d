"""In which language a draft answers."""

import pytest

from channels.autopilot.languages import is_another, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Thanks for the call! What does the starter package cost?", "en"),
        ("Hello Ada, thank you for your message. We will get back to you.", "en"),
        ("Danke für das Gespräch! Was kostet das Starterpaket?", "de"),
        ("Guten Tag, wann können wir uns dazu austauschen? Viele Grüße", "de"),
        ("Bonjour, merci pour votre message. Quel est le prix ?", "fr"),
        ("Hola, gracias por la llamada. ¿Cuánto cuesta el paquete?", "es"),
        ("Buongiorno, grazie per la chiamata. Quanto costa il pacchetto?", "it"),
        ("Goedemorgen, bedankt voor het gesprek. Wat kost het pakket?", "nl"),
        ("Olá, obrigado pela reunião. Quanto custa o pacote? Não vi o preço.", "pt"),
        ("Dzień dobry, dziękuję za rozmowę. Ile to kosztuje?", "pl"),
        ("Здравствуйте, сколько это стоит?", "CYRILLIC"),
        ("Γεια σας, πόσο κοστίζει;", "GREEK"),
    ],
)
def test_language_is_known_by_small_words_and_letters(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "OK", "12.05.2027, 10:00", "Ada Lovelace", "Die Demo", "👍"])
def test_nothing_is_said_of_what_is_unsure(text: str) -> None:
    assert language_of(text) == ""
    assert not is_another(text, "Danke für das Gespräch, wir melden uns bei Ihnen.")


def test_answer_in_another_language_is_noticed() -> None:
    asked = "Danke für das Gespräch! Was kostet das Paket?"
    assert is_another(asked, "Thank you for your message. We will get back to you.")
    assert not is_another(asked, "Vielen Dank für Ihre Nachricht. Wir melden uns bei Ihnen.")
