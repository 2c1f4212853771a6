"""Text to speech and the other sounds of the house: made by a process of their own, kept on disk."""
