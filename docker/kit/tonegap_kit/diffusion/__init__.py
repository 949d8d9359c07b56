"""What methods that fine-tune and sample a latent diffusion model share.

A pipeline folder of the diffusers library goes in (a few megabytes for smoke tests, Stable Diffusion
at full size); learned parts leave in the formats that library loads. Every image and caption is
encoded once, every random draw has a seed of its own, and nothing is fetched from anywhere.
"""

import os

from tonegap_kit.eager import hidden, without_compiler

# Read when the libraries are imported: nothing here may wait for a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

without_compiler()
# They import these for losses of detectors and for schedules that no pipeline here has.
with hidden("scipy", "sklearn", "torchvision"):
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel  # noqa: F401
    from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401
