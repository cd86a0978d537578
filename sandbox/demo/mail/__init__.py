"""The mail act: an ordinary day of the service as steps of somebody outside, and how each mail message must end."""
