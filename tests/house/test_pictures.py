"""Pictures are opened in one place of the engine; whoever else opens one is listed with the reason."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_CODE = ("src", "docker", "methods", "baselines", "postprocessors", "extractors", "integrations")
OPENERS = {
    "src/tonegap/data/decode.py": "the place",
    "methods/external/pictures.py": "the same rule in a stage, held to it by tests/plugins/test_external_pictures.py",
}


def opens(source: str) -> bool:
    """Whether code names Pillow's or another library's function that opens a picture file."""
    tree = ast.parse(source)
    images = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "PIL"
        for alias in node.names
        if alias.name == "Image"
    }
    openers = {f"{name}.open" for name in (*images, "PIL.Image")}
    openers |= {"cv2.imread", "imageio.imread", "plt.imread", "matplotlib.image.imread"}
    named = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = (
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "PIL.Image"
        for alias in node.names
    )
    return bool(openers & named) or "open" in imported


@pytest.mark.parametrize(
    "code",
    [
        "from PIL import Image\nImage.open(path)",
        "from PIL import Image as I\nread = I.open",
        "import PIL.Image\nPIL.Image.open(path)",
        "from PIL.Image import open as read",
        "def f(path):\n    from PIL import Image\n    return Image.open(path)",
        "import cv2\ncv2.imread(name)",
    ],
)
def test_code_that_opens_a_picture_would_be_found(code: str) -> None:
    assert opens(code)


def test_other_files_and_new_pictures_are_none() -> None:
    assert not opens("from PIL import Image\nImage.new('L', (1, 1))\npath.open()")


def test_pictures_are_opened_where_it_is_listed_and_nowhere_else() -> None:
    files = (path for folder in _CODE for path in (ROOT / folder).rglob("*.py"))
    found = [path for path in files if opens(path.read_text(encoding="utf-8"))]
    assert {path.relative_to(ROOT).as_posix() for path in found} == OPENERS.keys()
