"""The bench: measured load on a running system, beside what other systems reached under the same load (docs/performance.md)."""
