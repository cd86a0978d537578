"""What grows with workers, with rows, with distance and with TLS: `./dev bench growth`."""
