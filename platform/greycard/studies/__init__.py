"""What chains several jobs into one answer."""
