"""The inventory that another team copies is whole, small, and nobody's but theirs. A story deploys it."""

from pathlib import Path

from tests.unit.test_neutral import APPLICATION

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "inventories/example"
FILES = sorted(path for path in EXAMPLE.rglob("*") if not path.is_dir())


def test_it_stands_alone():
    assert [path for path in FILES if path.is_symlink()] == []
    assert [path.name for path in FILES if "shared" in path.read_text("utf-8")] == []
    assert [path.name for path in FILES if APPLICATION.search(path.read_text("utf-8"))] == []


def test_it_is_little_to_write():
    written = [
        line
        for path in FILES
        for line in path.read_text("utf-8").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    assert len(written) < 130


def test_the_guide_names_each_of_its_files():
    page = (ROOT / "docs/your-stack.md").read_text("utf-8")
    for path in FILES:
        assert f"../{path.relative_to(ROOT)})" in page
