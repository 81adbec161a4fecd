"""Paper 002: predictors under fairness losses on CelebA, UTKFace and SIIM-ISIC."""
