"""Measures of an image against its original: MSE, PSNR, SSIM and LPIPS."""
