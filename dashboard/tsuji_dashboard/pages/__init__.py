"""The pages: each is a path, a layout and a `register`."""
