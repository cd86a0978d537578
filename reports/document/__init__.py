"""How a report looks: its texts, its charts, its pages, and the files of other kinds."""
