"""Rates: so many events in so many seconds."""


class Rate:
    """What measurements of a rate have in common; the dataclass that it is gives the fields."""

    events: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def figure(self) -> str:
        """It, for people."""
        return f"{self.per_second:,.0f} events/s"
