"""Staff at a real browser. All files have one browser: it takes longer to start than most of what is done with it."""
