"""One bridge and one worker for all tests of this folder: to start them is most of what a short test would do."""
