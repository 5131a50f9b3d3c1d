"""Areas, meshes, and which thing stands where."""
