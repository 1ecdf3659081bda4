"""Keys by which tests and the patient worker, which is a process of its own, talk to each other."""

BEGAN, ENDED, WOUND_DOWN = "test:began", "test:ended", "test:wound-down"
RELEASED = "test:released"
INTERRUPTING = "test:interrupting"  # there: winding down releases what still runs
