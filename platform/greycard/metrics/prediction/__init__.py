"""Group differences of predicted attributes: from joint tables to disparities, calibration and seeds (paper 002)."""
