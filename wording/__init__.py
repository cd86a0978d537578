"""How things are written: plain text, Russian, money, Moscow's time, masked links. Knows no queue and no table."""
