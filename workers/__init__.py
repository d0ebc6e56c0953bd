"""What runs beside a recorder."""
