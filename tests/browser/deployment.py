"""A place where SalesFlow runs with an app of somebody's own, and to which new code is deployed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from salesflow.home import PROJECT
from tests.chaos.services import Crew, services_of_salesflow

BILLING = Path(__file__).parent / "billing"
CODE = ["salesflow", "events", "leads", "channels", "analytics", "templates", "locale", "manage.py"]


class Site:
    """A copy of the project's code with the app `billing` beside it.

    Attributes:
        folder: where it lies.
        environment: of its processes.
    """

    def __init__(self, folder: Path, environment: dict[str, str], home: Path) -> None:
        self.folder = folder
        own = {"SALESFLOW_EXTRA_APPS": "billing", "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment = {**environment, **own}
        for name in CODE:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy(PROJECT / name, folder / name)
        services = services_of_salesflow(self.environment, home)
        for service in services:
            service.folder = folder
        self._crew = Crew(services, Random(0))
        self._install("", "")

    def deploy(self, old: str, new: str) -> None:
        """Put `new` in place of `old` in billing's handlers, then restart workers and scheduler."""
        self._crew.end()
        self._install(old, new)
        self._crew.start()

    def _install(self, old: str, new: str) -> None:
        shutil.copytree(BILLING, self.folder / "billing", dirs_exist_ok=True)
        handlers = self.folder / "billing" / "handlers.py"
        source = handlers.read_text()
        assert old in source
        handlers.write_text(source.replace(old, new))

    @contextmanager
    def at_work(self) -> Iterator["Site"]:
        """Its workers and scheduler run meanwhile."""
        try:
            self._crew.start()
            yield self
        finally:
            self._crew.end()
