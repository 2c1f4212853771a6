"""Offhook: a phone system an organization can host itself."""

__version__ = "0.1.0"
