"""What every REST view stands on: who calls, how often, how an error is told. Views reach it through the settings."""
