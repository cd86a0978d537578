from django import template

from wording.russian import moscow_time

register = template.Library()
register.filter("moscow_time", moscow_time)
