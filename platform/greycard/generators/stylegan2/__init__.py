"""StyleGAN2: networks, configs and the trained generator."""
