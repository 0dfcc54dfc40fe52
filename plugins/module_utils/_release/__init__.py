# SPDX-License-Identifier: GPL-3.0-or-later
"""The release record: what a run leaves in the cluster for the next run, a rollback and the report."""
