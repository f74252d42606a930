# SPDX-License-Identifier: Apache-2.0
"""Film reviews with ratings: 10,605 rated snippets, or the user's own `review;rating` file.

The snippets were rated from -4 to 4 by twenty people or more each, for
    Hutto and Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text, ICWSM 2014.
They come, under the MIT licence, with the source distribution of the Python package vaderSentiment 3.3.2. pip fetches
it once, its hash is checked before anything else looks at it, and the one file that is wanted stays in the user's cache
folder. That file's hash is checked each time it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

PACKAGE = "vaderSentiment==3.3.2"
PACKAGE_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"
SNIPPETS = "movieReviewSnippets_GroundTruth.txt"
SNIPPETS_SHA256 = "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350"

Review = tuple[str, float]


def load_reviews(csv: str | Path | None = None, middle: float = 0.0) -> tuple[list[str], np.ndarray]:
    """The reviews that are clearly for or against a film.

    Args:
        csv: a file of `review;rating` lines; None for the rated snippets.
        middle: the rating that is neither for nor against.

    Returns:
        The texts, and as many labels: 1 for a rating over the middle, 0 below it.
    """
    return label(rated_snippets() if csv is None else read_csv(csv), middle)


def label(reviews: Iterable[Review], middle: float = 0.0, margin: float = 0.5) -> tuple[list[str], np.ndarray]:
    """Texts and labels of the reviews rated more than `margin` from the middle; ratings of 0 and 1 alone are labels.

    Raises:
        ValueError: the reviews that are left are all for or all against.
    """
    reviews = list(reviews)
    if {rating for _, rating in reviews} == {0.0, 1.0}:
        middle, margin = 0.5, 0.0
    clear = [(text, rating > middle) for text, rating in reviews if abs(rating - middle) > margin]
    labels = np.array([positive for _, positive in clear], dtype="float32")
    if len(set(labels.tolist())) < 2:
        raise ValueError(
            f"of {len(reviews)} reviews {int(labels.sum())} are rated over {middle + margin:g} and "
            f"{int((1 - labels).sum())} below {middle - margin:g}: both kinds are needed; "
            "give the rating that lies in the middle (--middle 3 for one to five stars)"
        )
    return [text for text, _ in clear], labels


def read_csv(path: str | Path) -> list[Review]:
    """The reviews in a UTF-8 file with a `review;rating` a line.

    The rating is what follows the last semicolon. The review may be in double quotes, with quotes inside doubled. Empty
    lines and a heading `review;rating` are passed over.

    Raises:
        ValueError: a line without a review or a rating, with its number.
    """
    reviews = []
    lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line or (number == 1 and line.lower().replace(" ", "") == "review;rating"):
            continue
        text, _, rating = line.rpartition(";")
        text = text.strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1].replace('""', '"')
        try:
            value = float(rating)
        except ValueError:
            value = np.nan
        if not text or not np.isfinite(value):
            raise ValueError(
                f"{path}, line {number}: expected review;rating with a number for the rating, got {line!r:.80}"
            )
        reviews.append((text, value))
    return reviews


def rated_snippets() -> list[Review]:
    """The snippets and their mean ratings, from the cache folder or, the first time, from the package index."""
    path = cache_folder() / SNIPPETS
    if path.exists():
        try:
            return parse_snippets(checked(path.read_bytes(), SNIPPETS_SHA256, str(path)))
        except ValueError as error:
            warnings.warn(f"{error}; fetching it again", stacklevel=2)
    content = snippets_in(download())
    try:
        write_atomically(path, content)
    except OSError as error:
        warnings.warn(f"the film reviews are not kept for the next time: {error}", stacklevel=2)
    return parse_snippets(content)


def parse_snippets(content: bytes) -> list[Review]:
    """The reviews in lines of id, rating and text, separated by tabs."""
    rows = (line.split("\t") for line in content.decode("utf-8").split("\n") if line.strip())
    return [(text.strip(), float(rating)) for _, rating, text in rows]


def download() -> bytes:
    """The package's source distribution, fetched by pip from the index that pip is set up for.

    Raises:
        RuntimeError: pip failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        # pip runs a source distribution's setup.py for its metadata; with the hash required, not before it is checked.
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{PACKAGE} --hash=sha256:{PACKAGE_SHA256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--no-binary", PACKAGE.partition("==")[0], "--dest", folder, "--requirement", str(requirements)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        found = sorted(Path(folder).glob("*.tar.gz"))
        if result.returncode or not found:
            raise RuntimeError(
                f"pip could not download {PACKAGE}:\n{result.stderr.strip()}\n"
                f"Without a package index, put its {SNIPPETS} at {cache_folder() / SNIPPETS}, "
                "or use reviews of your own with --csv."
            )
        return found[0].read_bytes()


def snippets_in(package: bytes) -> bytes:
    """The snippets' file in the source distribution, a tar within a tar; nothing is written to disk.

    Raises:
        ValueError: the package or the file is not the one that is expected.
    """
    archive = member(checked(package, PACKAGE_SHA256, PACKAGE), ARCHIVE)
    return checked(member(archive, SNIPPETS), SNIPPETS_SHA256, SNIPPETS)


def member(archive: bytes, name: str) -> bytes:
    """The content of the file in the .tar.gz `archive` whose path below the top folder is `name`."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for info in tar:
            if info.name.partition("/")[2] == name and info.isfile():
                file = tar.extractfile(info)
                assert file is not None  # a regular file always opens
                return file.read()
    raise ValueError(f"there is no {name} in the archive")


def checked(content: bytes, sha256: str, name: str) -> bytes:
    """`content`, if it has the hash.

    Raises:
        ValueError: it has another.
    """
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ValueError(f"{name} has the SHA-256 {actual}, expected {sha256}")
    return content


def cache_folder() -> Path:
    """fastrnn's folder among the user's caches."""
    if sys.platform == "win32":
        parent = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        parent = Path.home() / "Library" / "Caches"
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(parent) / "fastrnn"


def write_atomically(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
