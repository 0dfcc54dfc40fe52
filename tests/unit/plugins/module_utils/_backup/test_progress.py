from ansible_collections.easymo.deploy.plugins.module_utils._backup.programs import BackupProgress

TIMES = (101.0, 104.9, 105.0, 106.0, 138.0)


def test_it_is_told_every_few_seconds_and_when_the_dump_is_read_back():
    times = iter([100.0, *TIMES, 140.0])
    now = [next(times)]
    lines: list[str] = []
    progress = BackupProgress(
        "supabase_prod", lambda text, _data: lines.append(text), lambda: now[0]
    )
    for size in (8, 60, 80, 90, 120):
        now[0] = next(times)
        progress.dumped(size * 1_000_000)
    now[0] = next(times)
    progress.reading_back(130_000_000)
    assert lines == [
        "supabase_prod: 80 MB dumped, 5 s",
        "supabase_prod: 120 MB dumped, 38 s",
        "supabase_prod: reading back 130 MB, 40 s",
    ]
