from django import template

from notifications.russian import moscow_time

register = template.Library()
register.filter("moscow_time", moscow_time)
