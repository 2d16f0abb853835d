"""Files of strangers: many damaged and hostile ones of a kind, each given to a command."""
