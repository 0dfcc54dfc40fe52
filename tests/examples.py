"""How many examples of a property are tried: a tenth by day, all of them by night."""

from hypothesis import HealthCheck, settings

QUICK, ALL = "quick", "busy"
"""Profiles, as `--hypothesis-profile` takes them."""
USUAL = 100


def examples(most: int) -> settings:
    """For a test that wants another number than the usual one."""
    quick = settings.get_current_profile_name() == QUICK
    found = max(5, most // 10) if quick else most
    return settings(max_examples=found, deadline=None, suppress_health_check=[HealthCheck.too_slow])
