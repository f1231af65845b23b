"""How does a person hear of it? What is worth an alert, and the ways to deliver one."""
