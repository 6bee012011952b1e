"""Measuring: closed-loop success and what else the README claims."""
