"""How fast and how cheap is selfheal, beside others? See README.md here; `make bench` runs all of it."""
