"""The process `bridge`: it looks at the queues and puts what is due in front of the workers."""
