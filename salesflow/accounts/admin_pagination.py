"""Pages of the admin's lists that never count a whole table."""

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator

MOST_COUNTED = 10_000


class CappedPaginator(Paginator[Any]):
    """Counts up to 10,000 rows; the pages end there, and the list says “10,000+”."""

    most_counted = MOST_COUNTED
    template_name = "admin/pagination_capped.html"

    @cached_property
    def counted(self) -> int:
        """How many rows there are, or one more than are shown."""
        # Without an order the database stops at the last row that it needs.
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most_counted + 1].count())

    @cached_property
    def count(self) -> int:
        """How many rows can be paged through."""
        return min(self.counted, self.most_counted)

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than were counted."""
        return self.counted > self.most_counted
