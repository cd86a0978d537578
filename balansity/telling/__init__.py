"""Staff are told by mail: what needs somebody this morning, and at once what cannot wait."""
