"""The addresses of people's own accounts."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from salesflow.accounts import views

profile_urls = [
    path("", views.ProfileView.as_view(), name="profile"),
    path("/password", views.PasswordView.as_view(), name="password"),
]

urlpatterns = [
    path("login", views.LoginView.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("language", views.set_language, name="set_language"),
    path("profile", include((profile_urls, "accounts"))),
]
