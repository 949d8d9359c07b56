"""What methods that fine-tune and sample a latent diffusion model share.

A pipeline folder of the diffusers library goes in (a few megabytes for smoke tests, Stable Diffusion
at full size); learned parts leave in the formats that library loads. Every image and caption is
encoded once, every random draw has a seed of its own, and nothing is fetched from anywhere.
"""
