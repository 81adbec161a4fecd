"""The page of a restoration audit: what codecs do to groups, with pictures."""
