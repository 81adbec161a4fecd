"""Settings only: functions that return one full configuration."""
