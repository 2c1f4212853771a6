"""The doctor: looks at a machine and says what would keep a phone system from working on it, and what to do. Changes nothing."""
