"""Where Django's Russian formats are not ours. The rest stays Django's.

«26 ноября», and not «26 Ноябрь»; and a time as all pages of ours write it, so that a field that Django shows by itself
looks no different.
"""

DATETIME_FORMAT = "d.m.Y H:i"
MONTH_DAY_FORMAT = "j E"
