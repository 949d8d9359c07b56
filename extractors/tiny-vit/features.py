"""Features of a frozen backbone, whose library, network and preprocessing the TOML file beside this one pins."""

from tonegap_kit.command import main
from tonegap_kit.frozen import embed, features

if __name__ == "__main__":
    main(embed=embed, features=features)
