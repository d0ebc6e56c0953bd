"""A rig that is broken at random, and a checker that looks at the discs themselves, not only at the database."""
