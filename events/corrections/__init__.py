"""Corrections: an event whose payload is wrong is published anew, corrected, in its place."""

from events.corrections.checking import CorrectionRefused, TooLate
from events.corrections.correcting import correct_event, correct_item
from events.corrections.patches import Patch

__all__ = ["CorrectionRefused", "Patch", "TooLate", "correct_event", "correct_item"]
