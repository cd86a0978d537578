from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "balansity.sandbox.shop"
    label = "sandbox_shop"
