"""What moves discs: a person at the tray, a changer, an emulated feeder."""
