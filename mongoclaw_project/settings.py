"""Django's settings, all derived from the one typed settings object."""

from __future__ import annotations

from pathlib import Path

import django_stubs_ext

from mongoclaw_project import openapi_settings
from mongoclaw_project.config import current
from mongoclaw_project.databases import databases
from mongoclaw_project.secret_key import secret_key

# Lets annotations such as `ModelAdmin[Agent]` and `Paginator[Execution]` stand in base classes.
django_stubs_ext.monkeypatch()

_settings = current()

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = secret_key(_settings)
DEBUG = _settings.debug
ALLOWED_HOSTS = list(_settings.api.allowed_hosts)
if not ALLOWED_HOSTS and _settings.is_development:
    ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = list(_settings.api.trusted_origins)

INSTALLED_APPS = [
    "mongoclaw_project.access.admin_app.AdminApp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "mongoclaw_project",
    "agents_app",
    "executions_app",
]

MIDDLEWARE = [
    "mongoclaw_project.middleware.RequestLog",
    "mongoclaw_project.metrics.requests.RequestMetrics",
    "mongoclaw_project.cross_origin.CrossOrigin",
    "mongoclaw_project.secure_headers.SecureHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mongoclaw_project.outage.Outages",
]

ROOT_URLCONF = "mongoclaw_project.urls"
WSGI_APPLICATION = "mongoclaw_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # The second place is where the wheel carries them.
        "DIRS": [BASE_DIR / "templates", BASE_DIR / "mongoclaw_project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = databases(_settings)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "mongoclaw_project.formats"
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # no collectstatic before the first start

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "console:page"
LOGOUT_REDIRECT_URL = "login"  # for the admin too

SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if _settings.api.behind_tls_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = _settings.api.hsts_seconds

SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # whether other hosts of the domain have TLS is not ours to say
    "security.W008",  # the proxy redirects; from inside the API and health are asked without TLS
    "security.W021",  # nor is it ours to put the domain on the browsers' lists
]

LOGGING_CONFIG = "mongoclaw_project.logs.configure_django"  # for every kind of process alike
LOGGING = {"version": 1}  # Django calls the above only when there is something here

AGENT_PUBLISH_CHECKS = [
    "enrichment.publish_checks.check",
    "mongoclaw_project.egress_check.check",
    "mongoclaw_project.secret_check.check",
    "mongoclaw_project.watch_check.check",
]
CONSOLE_OUTLOOK = "mongoclaw_project.console_outlook.look"
POLICY_PUBLISH_CHECKS = ["enrichment.publish_checks.check_policy"]

REST_FRAMEWORK = {
    # The first one decides what an unknown caller is answered: 401, and how to say who one is.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "mongoclaw_project.access.authentication.ApiKeyAuthentication",
        "mongoclaw_project.access.basic.LimitedBasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissions"],
    "DEFAULT_THROTTLE_CLASSES": ["mongoclaw_project.access.throttle.CallerThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["mongoclaw_project.api_json.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["mongoclaw_project.api_json.Parser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "mongoclaw_project.api_errors.answer",
}

SPECTACULAR_SETTINGS = dict(openapi_settings.SETTINGS)
