"""Starts the processes of one system, keeps them alive, and leaves none behind. Knows no other room: it is given plain values."""
