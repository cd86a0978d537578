"""The admin that support staff work in."""

from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class BalansityAdminSite(AdminSite):
    site_header = _("Balansity: back office")
    site_title = "Balansity"
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = True
    # As our own columns write it.
    empty_value_display = "—"
