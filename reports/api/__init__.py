"""Reports over HTTP: whose they are decides what is there, and what each error is to the caller."""
