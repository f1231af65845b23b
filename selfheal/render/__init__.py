"""What does Render.com say of a service, and what can be done to it there? Its REST API, read and used."""
