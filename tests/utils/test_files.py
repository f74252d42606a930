# SPDX-License-Identifier: Apache-2.0
"""get_file: from file:// and from a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import tarfile
import threading
import warnings
import zipfile

import pytest

from fastrnn.utils import get_file
from fastrnn.utils.archives import extract_archive

CONTENT = b"Tyger Tyger, burning bright\n" * 5000


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives what the test has put there, and counts how often."""

    def do_GET(self):
        name = self.path.split("?")[0].lstrip("/")
        self.server.asked.append(name)
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + (100 if name.startswith("short") else 0)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.files, made.asked = {"poem.txt": CONTENT, "short.txt": CONTENT}, []
    made.url = f"http://127.0.0.1:{made.server_port}/"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def content(path):
    with open(path, "rb") as file:
        return file.read()


def names(folder):
    return sorted(os.path.relpath(os.path.join(root, name), folder)
                  for root, _, files in os.walk(folder) for name in files)


def test_a_file_is_downloaded_once(server, tmp_path, capsys):
    for _ in range(2):
        path = get_file(origin=server.url + "poem.txt?version=1", cache_dir=tmp_path)
        assert path == str(tmp_path / "datasets" / "poem.txt") and content(path) == CONTENT
    assert server.asked == ["poem.txt"]
    assert "Downloading data from http" in capsys.readouterr().out
    get_file(origin=server.url + "poem.txt", cache_dir=tmp_path, force_download=True)
    assert len(server.asked) == 2
    assert oct(os.stat(path).st_mode & 0o444) == oct(0o444 & ~os.umask(os.umask(0)) | 0o400)


def test_names_and_folders(server, tmp_path):
    url = server.url + "poem.txt"
    assert get_file("a.txt", url, cache_dir=tmp_path, cache_subdir="x") == str(tmp_path / "x" / "a.txt")
    assert get_file("b", url, cache_dir=tmp_path, cache_subdir=str(tmp_path / "y")) == str(tmp_path / "y" / "b")
    for name in ("../a", "a/b", "/etc/passwd", "..", "."):
        with pytest.raises(ValueError, match="expected fname without folders"):
            get_file(name, url, cache_dir=tmp_path)
    with pytest.raises(ValueError, match="ends in no name of a file; pass fname"):
        get_file(origin=server.url, cache_dir=tmp_path)
    with pytest.raises(ValueError, match="expected origin"):
        get_file("a")
    assert names(tmp_path) == ["x/a.txt", "y/b"]


def test_the_cache_is_keras(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    assert get_file(origin=server.url + "poem.txt") == str(tmp_path / "home" / "datasets" / "poem.txt")
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert get_file(origin=server.url + "poem.txt") == str(tmp_path / ".keras" / "datasets" / "poem.txt")


@pytest.mark.parametrize(("kind", "keyword"), [("sha256", "file_hash"), ("md5", "file_hash"), ("md5", "md5_hash")])
def test_hashes(server, tmp_path, kind, keyword):
    right = hashlib.new(kind, CONTENT).hexdigest()
    path = get_file(origin=server.url + "poem.txt", cache_dir=tmp_path, **{keyword: right.upper()})
    with open(path, "wb") as file:
        file.write(b"damaged")
    get_file(origin=server.url + "poem.txt", cache_dir=tmp_path, **{keyword: right})
    assert content(path) == CONTENT and server.asked == ["poem.txt"] * 2
    wrong = "0" * len(right)
    with pytest.raises(ValueError, match=rf"to have the hash {wrong} \({kind}\), got {right}"):
        get_file(origin=server.url + "poem.txt", cache_dir=tmp_path, **{keyword: wrong})
    assert content(path) == CONTENT         # what was there stays
    with pytest.raises(ValueError, match="to have the hash"):
        get_file("new", server.url + "poem.txt", cache_dir=tmp_path, **{keyword: wrong})
    assert names(tmp_path) == ["datasets/poem.txt"]
    with pytest.raises(ValueError, match="expected hash_algorithm to be one of auto, sha256, md5, got 'crc'"):
        get_file(origin=server.url + "poem.txt", cache_dir=tmp_path, hash_algorithm="crc")


def test_what_cannot_be_had(server, tmp_path):
    with pytest.raises(OSError, match="nothing.txt cannot be had: 404"):
        get_file(origin=server.url + "nothing.txt", cache_dir=tmp_path)
    with pytest.raises(OSError, match=f"ended after {len(CONTENT)} of {len(CONTENT) + 100} bytes"):
        get_file(origin=server.url + "short.txt", cache_dir=tmp_path)
    with pytest.raises(OSError, match="cannot be had"):
        get_file(origin=(tmp_path / "nothing").as_uri(), cache_dir=tmp_path)
    assert names(tmp_path) == []


def tar_of(members, mode="w:gz"):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, what in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
            else:
                info.type, info.linkname = what
                archive.addfile(info)
    return made.getvalue()


def zip_of(members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, what in members.items():
            archive.writestr(name, what)
    return made.getvalue()


MEMBERS = {"top/a.txt": b"a", "top/deep/b.txt": b"b", "c.txt": b"c"}


@pytest.mark.parametrize("name", ["all.tar.gz", "all.zip", "all"])
@pytest.mark.parametrize("fname", [None, "texts", "texts.tgz"])
def test_archives(server, tmp_path, name, fname):
    server.files[name] = zip_of(MEMBERS) if name.endswith("zip") else tar_of(MEMBERS)
    for _ in range(2):
        folder = get_file(fname, server.url + name, extract=True, cache_dir=tmp_path, cache_subdir="")
        assert names(folder) == sorted(MEMBERS)
    assert server.asked == [name]
    assert os.path.basename(folder) == {None: name, "texts": "texts", "texts.tgz": "texts_extracted"}[fname]
    archive = {None: f"{name}_archive", "texts": "texts_archive", "texts.tgz": "texts.tgz"}[fname]
    assert (tmp_path / archive).is_file()


def test_as_keras_has_it(server, tmp_path):
    """The same file, archive and folder names; so what one has downloaded the other one takes."""
    import keras

    server.files["all.tar.gz"] = tar_of(MEMBERS)
    for folder in ("ours", "theirs"):
        (tmp_path / folder).mkdir()
    for fname, options in (("poem.txt", {}), (None, {}), ("texts", {"untar": True}), ("texts.tgz", {"extract": True}),
                           (None, {"extract": True})):
        url = server.url + ("all.tar.gz" if options else "poem.txt")
        found = [get(fname, url, cache_dir=str(tmp_path / folder), **options)
                 for folder, get in (("ours", get_file), ("theirs", keras.utils.get_file))]
        assert os.path.relpath(found[0], tmp_path / "ours") == os.path.relpath(found[1], tmp_path / "theirs")
    assert names(tmp_path / "ours") == names(tmp_path / "theirs")


def test_the_folder_that_is_there_keeps_its_files(server, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.txt").write_text("mine")
    (tmp_path / "mine" / "c.txt").write_text("old")
    server.files["all.zip"] = zip_of(MEMBERS)
    folder = get_file("mine", server.url + "all.zip", extract=True, cache_dir=tmp_path, cache_subdir="")
    assert names(folder) == sorted([*MEMBERS, "own.txt"]) and content(os.path.join(folder, "c.txt")) == b"c"


EVIL = {"../out.txt": b"x", "/tmp/fastrnn_out.txt": b"x", "a/../../out.txt": b"x", "..\\out.txt": b"x"}


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", EVIL)
def test_nothing_is_written_outside(tmp_path, kind, name):
    members = {"good.txt": b"good", name: b"evil"}
    path = tmp_path / "in" / "archive"
    path.parent.mkdir()
    path.write_bytes(tar_of(members) if kind == "tar" else zip_of(members))
    before = names(tmp_path)
    with pytest.warns(UserWarning, match="which would lie outside its folder"):
        assert extract_archive(str(path), str(tmp_path / "in" / "folder"), kind)
    assert names(tmp_path) == sorted([*before, "in/folder/good.txt"])
    assert not os.path.exists("/tmp/fastrnn_out.txt")


def test_links_become_copies_of_members_or_nothing(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    path = tmp_path / "in.tar"
    path.write_bytes(tar_of({
        "a.txt": b"a", "same.txt": (tarfile.SYMTYPE, "a.txt"), "hard.txt": (tarfile.LNKTYPE, "a.txt"),
        "evil.txt": (tarfile.SYMTYPE, "../secret.txt"), "worse.txt": (tarfile.SYMTYPE, str(secret)),
        "folder": (tarfile.SYMTYPE, str(tmp_path)), "folder/own.txt": b"own", "pipe": (tarfile.FIFOTYPE, ""),
    }, "w"))
    with pytest.warns(UserWarning, match="which is no file"):
        assert extract_archive(str(path), str(tmp_path / "folder"))
    folder = tmp_path / "folder"
    assert names(folder) == ["a.txt", "folder/own.txt", "hard.txt", "same.txt"]
    assert content(folder / "same.txt") == content(folder / "hard.txt") == b"a"
    assert not any(os.path.islink(os.path.join(root, name)) for root, d, f in os.walk(folder) for name in d + f)
    assert sorted(os.listdir(tmp_path)) == ["folder", "in.tar", "secret.txt"]


def test_what_is_no_archive(server, tmp_path):
    with pytest.warns(UserWarning, match="is no archive of format 'auto'; nothing was extracted"):
        get_file(origin=server.url + "poem.txt", extract=True, cache_dir=tmp_path)
    with pytest.raises(ValueError, match="expected archive_format to be 'tar', 'zip', 'auto' or None, got 'rar'"):
        get_file(origin=server.url + "poem.txt", extract=True, cache_dir=tmp_path, archive_format="rar")
    server.files["all.zip"] = zip_of(MEMBERS)
    with pytest.warns(UserWarning, match="is no archive of format 'tar'"):
        get_file("b", server.url + "all.zip", extract=True, cache_dir=tmp_path, archive_format="tar")


def test_a_damaged_archive_leaves_no_folder(server, tmp_path):
    server.files["all.tar.gz"] = tar_of({f"{i}": os.urandom(999) for i in range(99)})[:-2000]
    with warnings.catch_warnings(), pytest.raises((OSError, EOFError, tarfile.TarError)):
        warnings.simplefilter("ignore")
        get_file("data", server.url + "all.tar.gz", extract=True, cache_dir=tmp_path)
    assert os.listdir(tmp_path / "datasets") == ["data_archive"]


def test_downloads_at_once_leave_one_whole_file(server, tmp_path):
    paths = []

    def get():
        paths.append(get_file(origin=server.url + "poem.txt", cache_dir=tmp_path))

    threads = [threading.Thread(target=get) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 6 and names(tmp_path) == ["datasets/poem.txt"] and content(paths[0]) == CONTENT
