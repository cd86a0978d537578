from django.urls import path

from sandbox.shop import views
from sandbox.shop.page import page

urlpatterns = [
    path("", page, name="shop"),
    path("sign-in", views.sign_in, name="shop-sign-in"),
    path("offers", views.offers, name="shop-offers"),
    path("payments", views.insert_payment, name="shop-payments"),
    path("payments/<uuid:payment_id>/bought", views.bought, name="shop-bought"),
]
