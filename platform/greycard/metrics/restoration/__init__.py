"""Group differences of restored images: from an audit table to the frames of findings (paper 000)."""
