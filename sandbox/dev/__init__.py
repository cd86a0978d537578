"""What `./dev` does once the virtual environment exists."""
