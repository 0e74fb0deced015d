"""What each verb of a story does to a drill: by the world itself, by the owner, by an operator."""
