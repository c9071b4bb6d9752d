"""What counts as “stop writing to me”, and what does not."""

import unicodedata

import pytest

from channels.keywords import is_opt_out


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        " stopp! ",
        "“Unsubscribe.”",
        "keine  Werbung",
        "Opt-out",
        unicodedata.normalize("NFD", "ARRÊT"),
        "ＳＴＯＰ",
        "Stop 🛑",
        "STOP\n\n--\nAnn Archer\nAcme Ltd, 1 High Street, London",
        "Unsubscribe\n\nSent from my iPhone",
        "Abmelden\n\nVon meinem iPhone gesendet",
        "Abbestellen\n\nGesendet von Outlook für Android",
        "STOP\n\nGet Outlook for iOS<https://example.com/a-long-address-that-nobody-reads>",
    ],
)
def test_one_word_that_says_it_is_heeded(text: str) -> None:
    assert is_opt_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Please do not stop sending offers.",
        "Stop\n\nI meant: stop by tomorrow at ten.",
        "Stop it, I will buy!",
        "-- \nAnn",
        "Sent from my iPhone",
        "stop" * 100_000,
    ],
)
def test_part_of_a_sentence_is_not(text: str) -> None:
    assert not is_opt_out(text)


@pytest.mark.parametrize(
    ("label", "heeded"), [("STOP", True), ("Stop promotions", True), ("Cancel", False)]
)
def test_button_that_answers_a_question_is_no_opt_out(label: str, heeded: bool) -> None:
    assert is_opt_out(label, is_choice=True) is heeded
    # Whoever types it says it by themselves.
    assert is_opt_out(label)
