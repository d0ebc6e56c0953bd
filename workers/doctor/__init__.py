"""What keeps a rig from working well, found before a disc does: one module a subject, each cause with its remedy."""
