"""Features of a frozen backbone, whose library, network and preprocessing the TOML file beside this one pins."""

from functools import partial
from pathlib import Path

from tonegap_kit.command import main
from tonegap_kit.frozen import embed, features

GOLDEN = Path(__file__).with_name("golden.json")

if __name__ == "__main__":
    main(embed=partial(embed, golden=GOLDEN), features=partial(features, golden=GOLDEN))
