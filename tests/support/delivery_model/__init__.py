"""The delivery protocol with every process as a thread that stops before each statement, and a clock that is moved."""
