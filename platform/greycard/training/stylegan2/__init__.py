"""The adversarial training of StyleGAN2, and what only it needs."""
