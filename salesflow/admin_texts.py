"""The admin theme's texts for which it has no German: our catalogue says them.

Source: django-unfold 0.91, unfold/templates, without an entry in unfold/locale/de.
"""

from django.utils.translation import gettext_noop as _

TEXTS = [
    _("Add row"),
    _("All applications"),
    _("Apply Filters"),
    _("Click to cancel"),
    _("Click to download"),
    _("Expand row"),
    _("False"),
    _("General"),
    _("Go back"),
    _("Loading more results..."),
    _("More actions"),
    _("No data"),
    _("No recent searches"),
    _("No results found"),
    _("No results matching your query"),
    _("Recent searches"),
    _("Reset filters"),
    _("Run"),
    _("Select all rows"),
    _("This item will be deleted."),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("Toggle password visibility"),
    _("True"),
    _("Type to search"),
    _("You have been successfully logged out from the administration"),
]
