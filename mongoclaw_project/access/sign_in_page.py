"""The page where people sign in: one for the console and the admin."""

from __future__ import annotations

from django.contrib.auth.views import LoginView

from mongoclaw_project.access.sign_in_form import SignInForm


class SignIn(LoginView):
    """Leads on to where somebody wanted to go, if that is of this server, or to the console."""

    template_name = "console/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_success_url(self) -> str:
        """Return where to go on to; to the console if that would be this page again."""
        wanted = super().get_success_url()
        return self.get_default_redirect_url() if wanted.partition("?")[0] == self.request.path else wanted
