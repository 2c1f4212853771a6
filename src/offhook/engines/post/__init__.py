"""What we tell programs of others, over HTTP."""
