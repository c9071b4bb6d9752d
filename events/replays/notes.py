"""Notes: what the items of a replay say of what came of them.

They are kept on record in English, and shown in the reader's language (`ReplayItem.note_label`).
"""

from django.utils.translation import gettext_noop

NOTHING_TO_RUN = gettext_noop("nothing to run: no handler of this event failed")
STILL_PENDING = gettext_noop("still pending: its handlers have not finished")
ONLY_EXTERNAL = gettext_noop(
    "only handlers with external effects failed, and the replay leaves those out"
)
PRUNED = gettext_noop("the event was pruned")
# Behind it stands the other one's id.
IN_ANOTHER_REPLAY = gettext_noop("another replay has released it and waits for its answer")
# Behind it stand the handlers.
GIVEN_UP = gettext_noop("given up")
NOTHING_TO_GIVE_UP = gettext_noop("nothing to give up: no handler of this event stands as failed")
