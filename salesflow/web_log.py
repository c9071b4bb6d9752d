"""The web server's own lines, in the format of all others."""

from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]


class WebLog(Logger):  # type: ignore[misc]  # it has no types
    """What gunicorn says of its processes goes where everything else is logged."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn's, but without handlers of its own: the settings have made one."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
