"""How long lists are cut into pages."""

from django.utils.translation import gettext_lazy as _
from rest_framework.pagination import CursorPagination


class KeysetPagination(CursorPagination):
    """Pages by the last row seen: no counting, no offset, stable while rows are added."""

    ordering = "-id"
    page_size_query_param = "limit"
    max_page_size = 200
    page_size_query_description = _("Rows a page, at most 200.")
