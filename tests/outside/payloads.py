"""What is wanted of the service."""

from events import Payload


class CallWanted(Payload, type="outside.call_wanted"):
    """One call of that address."""

    url: str


class BriefCallWanted(Payload, type="outside.brief_call_wanted"):
    """One call that may not take long."""

    url: str


class GentleCallWanted(Payload, type="outside.gentle_call_wanted"):
    """One call of a service that takes two at a time."""

    url: str
