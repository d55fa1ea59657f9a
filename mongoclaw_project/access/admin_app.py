"""Django's entry for the admin, with a site of ours."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class AdminApp(AdminConfig):
    """Makes that site the one which all pages are registered with."""

    default = False
    default_site = "mongoclaw_project.access.admin_site.AdminSite"
