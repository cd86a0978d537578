"""Messages whose processes need not be new, nor told anything unusual."""
