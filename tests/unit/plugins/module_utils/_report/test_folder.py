"""Two runs of a release write the same page: whoever opens it sees one of them whole."""

import threading
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.easymo.deploy.plugins.module_utils._report.files import ReportFolder


def test_two_writers_of_the_same_page_never_mix(tmp_path):
    pages = ["a" * 300_000, "b" * 100_000]
    ReportFolder(tmp_path).write({"report.html": pages[0]})
    seen, over = set(), threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.add((tmp_path / "report.html").read_text("utf-8"))

    def write(page: str) -> None:
        for _ in range(200):
            ReportFolder(tmp_path).write({"report.html": page})

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(2) as writers:
        ended = [writers.submit(write, page) for page in pages]
    over.set()
    reader.join()
    assert [one.exception() for one in ended] == [None, None]
    assert seen <= {*pages}
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
