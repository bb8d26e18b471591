import io
import shutil
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfmforensics.datasets._fetch import fetch_archive, tree_digest
from sfmforensics.exceptions import DatasetError

FILES = {"0/a.wav": b"one", "1/b.wav": b"two"}
LINK = (stat.S_IFLNK | 0o777) << 16


def digest_of(files, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return tree_digest(folder, files)


@pytest.fixture
def pack(tmp_path):
    """Make a zip with FILES in one top folder, and what else is given."""

    def make(extra=(), files=FILES):
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(f"top/{name}", content)
            for name, content in extra:
                file.writestr(name, content)
        return path

    return make


@pytest.fixture
def fetch(tmp_path):
    """Fetch what a zip holds as the corpus "little"."""

    def run(url, **changed):
        options = {
            "url": url if isinstance(url, str) else url.as_uri(),
            "pattern": r"\d/\w+\.wav",
            "digest": digest_of(FILES, tmp_path / "expected"),
            "data_home": tmp_path / "home",
            "max_bytes": 10_000,
            "max_members": 10,
        }
        return fetch_archive("little", **(options | changed))

    return run


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def serve(answer):
    """Serve one answer, (content, announced length), to every request; give address and log."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content, announced = answer
            requests.append(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}/archive.zip", requests


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers = []

    def start(content, announced=None):
        length = len(content or b"") if announced is None else announced
        server, url, requests = serve((content, length))
        servers.append(server)
        return url, requests

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_digest_depends_on_names_and_content_not_on_order(tmp_path):
    digest = digest_of(FILES, tmp_path)
    assert tree_digest(tmp_path, reversed(list(FILES))) == digest
    (tmp_path / "0/a.wav").rename(tmp_path / "0/c.wav")
    assert tree_digest(tmp_path, ["0/c.wav", "1/b.wav"]) != digest
    (tmp_path / "0/c.wav").rename(tmp_path / "0/a.wav")
    (tmp_path / "0/a.wav").write_bytes(b"ONE")
    assert tree_digest(tmp_path, FILES) != digest


def test_fetch_unpacks_what_is_expected_and_downloads_once(fetch, pack, web, tmp_path):
    extra = [
        ("top/README.md", "text"),
        ("top/2/x.sh", "rm"),
        ("top/deep/0/a.wav", "no"),
        ("./", ""),
    ]
    url, requests = web(pack(extra).read_bytes())
    folder = fetch(url)
    assert folder == tmp_path / "home" / "little"
    assert contents(folder) == FILES
    assert fetch(url, download_if_missing=False) == folder
    assert fetch(url) == folder
    assert len(requests) == 1
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["little"]


def test_download_must_be_allowed(fetch, web):
    url, requests = web(b"")
    with pytest.raises(DatasetError, match="download_if_missing is False"):
        fetch(url, download_if_missing=False)
    assert requests == []


def test_wrong_content_is_refused_with_both_digests(fetch, pack, tmp_path):
    archive = pack(files={"0/a.wav": b"other"})
    found = digest_of({"0/a.wav": b"other"}, tmp_path / "found")
    expected = digest_of(FILES, tmp_path / "expected")
    with pytest.raises(DatasetError, match=f"expected {expected}, found {found}"):
        fetch(archive)
    assert list((tmp_path / "home").iterdir()) == []


def test_a_users_folder_is_verified_and_left_alone(fetch, pack, tmp_path):
    mine = tmp_path / "home" / "little"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="move the folder away"):
        fetch(pack())
    assert contents(mine) == {"thesis.txt": b"mine"}


def test_interrupted_download_leaves_nothing_and_can_be_repeated(fetch, pack, web, tmp_path):
    content = pack().read_bytes()
    url, _ = web(content[:50], announced=len(content))
    with pytest.raises(DatasetError, match=r"cut short|failed"):
        fetch(url)
    assert list((tmp_path / "home").iterdir()) == []
    url, _ = web(content)
    assert contents(fetch(url)) == FILES


def test_unreachable_address_is_named(fetch, web, tmp_path):
    url, _ = web(None)
    with pytest.raises(DatasetError, match=r"archive\.zip: the download failed.*404"):
        fetch(url)
    with pytest.raises(DatasetError, match="the download failed"):
        fetch(tmp_path / "missing.zip")


def test_page_instead_of_a_zip_is_refused(fetch, web):
    url, _ = web(b"<html>Sign in to this network</html>")
    with pytest.raises(DatasetError, match="not a zip file"):
        fetch(url)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../evil.wav",
            "top/../../evil.wav",
            "top/0/../../../evil.wav",
            "/evil.wav",
            "//evil.wav",
        ),
        *("top\\..\\..\\evil.wav", "\\evil.wav", "\\\\server\\evil.wav"),
        *("C:/evil.wav", "C:\\evil.wav", "C:evil.wav", "../", "top/../../evil/"),
    ],
)
def test_members_that_point_outside_are_refused(fetch, pack, tmp_path, name):
    before = set(tmp_path.rglob("evil.wav"))
    with pytest.raises(DatasetError, match="points outside"):
        fetch(pack([(name, "evil")]))
    assert set(tmp_path.rglob("evil.wav")) == before == set()


def test_links_are_refused(fetch, pack):
    link = zipfile.ZipInfo("top/2/c.wav")
    link.external_attr = LINK
    with pytest.raises(DatasetError, match="is a link"):
        fetch(pack([(link, "../../../secret")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(fetch, pack):
    with pytest.raises(DatasetError, match="there twice"):
        fetch(pack([("top/0/a.wav", "again")]))


def test_too_many_members_or_bytes_are_refused(fetch, pack, tmp_path):
    with pytest.raises(DatasetError, match="more than 10 members"):
        fetch(pack([(f"top/{i}.txt", "") for i in range(9)]))
    with pytest.raises(DatasetError, match="10000 bytes"):
        fetch(pack([("top/2/bomb.wav", bytes(1_000_000))]))
    with pytest.raises(DatasetError, match="sends more than the 20 bytes"):
        fetch(pack(), max_bytes=20)
    assert list((tmp_path / "home").iterdir()) == []


def test_a_member_that_lies_about_its_size_is_stopped(fetch, pack, tmp_path):
    path = pack([("top/2/bomb.wav", bytes(1_000_000))])
    content = path.read_bytes()
    # The size stands in the local header and in the central directory.
    path.write_bytes(content.replace((1_000_000).to_bytes(4, "little"), (9).to_bytes(4, "little")))
    with pytest.raises(DatasetError, match="CRC"):
        fetch(path)
    assert list((tmp_path / "home").iterdir()) == []


def flagged(path, bit):
    """Set a flag of the first member, in its own header and in the directory."""
    content = bytearray(path.read_bytes())
    for place in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[place] |= bit
    path.write_bytes(content)
    return path


def test_an_encrypted_member_is_refused(fetch, pack, tmp_path):
    with pytest.raises(DatasetError, match=r"not a zip file that can be unpacked.*encrypted"):
        fetch(flagged(pack(), 1))
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize(
    ("place", "byte"),
    [(0x1C + 2, b"\xff"), (0x08 + 2, b"\x0c"), (0x08 + 2, b"\x0e"), (0x1C, b"\0")],
    ids=["name", "bzip2", "lzma", "no name"],
)
def test_what_only_python_would_explain_is_refused_as_well(fetch, pack, place, byte):
    path = pack()
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + place] = byte[0]
    content[content.index(b"PK\x03\x04") + min(place, 8)] = byte[0]
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="not a zip file that can be unpacked"):
        fetch(path)


def test_an_archive_in_the_archive_stays_one(fetch, pack, tmp_path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("top/3/a.wav", bytes(10**7))
    archive = pack([("top/3/b.zip", bomb.getvalue())])
    assert contents(fetch(archive, max_bytes=len(bomb.getvalue()) + 1000)) == FILES


def test_a_member_that_says_it_is_smaller_is_cut_off_there(fetch, pack, tmp_path):
    """Never more is unpacked of a member than it says; what it says is checked before."""
    path = pack([("top/2/bomb.wav", bytes(5_000_000))])
    content = path.read_bytes()
    path.write_bytes(content.replace((5_000_000).to_bytes(4, "little"), (9).to_bytes(4, "little")))
    largest = []
    with pytest.raises(DatasetError):
        fetch(path, data_home=tmp_path / "home")
    largest += [file.stat().st_size for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert not largest


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_archive_is_the_corpus_or_an_error(fetch, pack, tmp_path, damage):
    path = pack()
    content = bytearray(path.read_bytes())
    for place, byte in damage:
        content[place % len(content)] = byte
    path.write_bytes(content)
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    try:
        found = contents(fetch(path))
    except DatasetError:
        found = FILES
    assert found == FILES
    assert not [other for other in (tmp_path / "home").iterdir() if other.name != "little"]


def test_a_race_that_another_process_wins_is_no_error(fetch, pack, tmp_path, monkeypatch):
    def lose(source, target):
        digest_of(FILES, target)
        raise OSError("Directory not empty")

    monkeypatch.setattr("sfmforensics.datasets._fetch.os.rename", lose)
    assert contents(fetch(pack())) == FILES
