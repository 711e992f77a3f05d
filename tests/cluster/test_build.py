"""The builder's cache: what a program is made of decides where it is kept, and only what is whole is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cluster.build.builder import Builder, BuildFailed, Part

TINY = Part("tiny", links=("other",))


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """With one module that is built in a moment."""
    module = tmp_path / "modules" / "tiny"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module example.org/tiny\n\ngo 1.26.0\n", encoding="utf-8")
    write(module, 'import "os"\n\nfunc main() { os.Stdout.WriteString(os.Args[0][len(os.Args[0])-4:]) }')
    return Builder((TINY,), tmp_path / "modules", tmp_path / "cache")


def write(module: Path, text: str) -> None:
    (module / "main.go").write_text(f"package main\n\n{text}\n", encoding="utf-8")


def test_a_part_is_built_once_and_answers_to_its_names(builder: Builder) -> None:
    said: list[str] = []
    assert builder.missing() == ["tiny"]
    builder.build(said.append)
    assert builder.missing() == [] and len(said) == 2
    for name in ("tiny", "other"):
        done = subprocess.run([str(builder.folder("tiny") / name)], capture_output=True, text=True, check=True)
        assert done.stdout == name[-4:]
    builder.build(said.append)
    assert len(said) == 2, "it was built again"


def test_a_changed_module_is_another_program(builder: Builder) -> None:
    builder.build(lambda _: None)
    before = builder.folder("tiny")
    write(builder.modules / "tiny", "func main() {}")
    assert builder.missing() == ["tiny"]
    builder.build(lambda _: None)
    assert builder.folder("tiny") != before and before.exists()


def test_a_failed_build_tells_the_compilers_words_and_leaves_nothing(builder: Builder) -> None:
    write(builder.modules / "tiny", "func main() { nonsense }")
    with pytest.raises(BuildFailed, match="undefined: nonsense"):
        builder.build(lambda _: None)
    assert builder.missing() == ["tiny"]
    assert [path.name for path in builder.cache.iterdir()] == ["tiny.lock"]
    with pytest.raises(BuildFailed, match="tiny is not built"):
        builder.folder("tiny")
