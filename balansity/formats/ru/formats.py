"""Where Django's Russian formats are wrong: «26 ноября», and not «26 Ноябрь». The rest stays Django's."""

MONTH_DAY_FORMAT = "j E"
