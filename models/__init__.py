"""What is kept: the tables, and the words they are written in."""
