"""The act of the operators: a queue is paused and goes on, the mail server goes away and comes back."""
